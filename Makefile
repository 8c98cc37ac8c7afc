# SPDX-License-Identifier: GPL-2.0
#
# Everything is one command from a fresh machine: each target prepares what it
# needs.  `make help` lists the targets.

PYTHON := PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3
LAB := $(PYTHON) scripts/lab

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

.PHONY: deps
deps: ## install the Debian packages that are missing
	@sh scripts/install-deps

.PHONY: tree
tree: deps ## unpack the kernel source and integrate: build/linux
	@$(LAB)/tree.py

.PHONY: kernels
kernels: tree ## build the guest kernels: build/ours and build/stock
	@$(LAB)/kernels.py stock ours

.PHONY: kernel-ours
kernel-ours: tree ## build only build/ours
	@$(LAB)/kernels.py ours

.PHONY: kernel-stock
kernel-stock: deps ## build only build/stock
	@$(LAB)/tree.py --stock-only
	@$(LAB)/kernels.py stock

.PHONY: kernel-debug
kernel-debug: tree ## build build/debug: lock and memory checks, KUnit at boot
	@$(LAB)/kernels.py debug

.PHONY: image
image: kernel-ours ## build the guest's root file system: build/initramfs.gz
	@$(LAB)/image.py

.PHONY: clean
clean: ## remove everything that was built
	rm -rf build
