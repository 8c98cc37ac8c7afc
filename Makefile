# SPDX-License-Identifier: GPL-2.0
#
# Everything is one command from a fresh machine: each target prepares what it
# needs.  `make help` lists the targets.

PYTHON := PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3
LAB := PYTHONPATH="$(CURDIR)/scripts$${PYTHONPATH:+:$$PYTHONPATH}" $(PYTHON) -m lab

# K chooses tests by their names, as pytest -k does.  Those that build kernels only for
# themselves, and take long, are run with TESTS=all.
ALL := $(filter all,$(TESTS))
# Compilers and tools that only those need.
DEPS_LONG = $(if $(ALL),sh scripts/install-deps packages-long.txt,:)
PYTEST_ALL := $(PYTHON) -m pytest -q $(if $(K),-k '$(K)')
PYTEST := $(PYTEST_ALL) $(if $(ALL),,-m 'not long')
SLOWEST := --durations=10

# Guests keep one processor busy, but for a third of the time in which a test waits.
# So three run side by side on two, if the machine has the memory for it.
ROOM = $(shell awk '/^MemTotal/ { print ($$2 > 15000000) ? 3 : 2 }' /proc/meminfo)
WORKERS = $(if $(filter 1,$(shell nproc)),0,$(ROOM))
GUESTS = $(PYTEST) $(SLOWEST) -n $(WORKERS) --dist loadgroup

# What is measured, and tests that watch the clock, want the machine for themselves.
.NOTPARALLEL:

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' \
		'/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z_-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' \
		$(MAKEFILE_LIST)

##@ See what it does

# Said before kernels are built for a quarter of an hour.
ifneq ($(and $(filter demo,$(MAKECMDGOALS)),$(filter-out virtio uml,$(BACKEND))),)
$(error BACKEND=$(BACKEND) is not one of virtio, uml)
endif

.PHONY: demo
demo: $(if $(filter uml,$(BACKEND)),kernel-uml,kernels image)
demo: ## show freed memory coming back: build/report/demo.png
	@BACKEND="$(BACKEND)" MEM="$(MEM)" FREE="$(FREE)" KERNEL="$(KERNEL)" LIVE="$(LIVE)" \
		$(LAB) demo

.PHONY: shell
shell: image ## log in to a guest with our kernel
	@$(LAB) shell

##@ While you work: seconds to minutes

.PHONY: quick
quick: ## suites of the core's arithmetic in user space: seconds
	@sh scripts/install-deps packages-quick.txt
	@$(LAB) quick $(if $(FILTER),'$(FILTER)')

.PHONY: fuzz
fuzz: SECONDS := 30
fuzz: ## look for a difference between the tracker and its model
	@sh scripts/install-deps packages-quick.txt packages-fuzz.txt
	@$(LAB) quick --fuzz $(SECONDS)

.PHONY: lint
lint: deps ## the checks that take seconds and need no kernel tree
	@$(LAB) check --quick

.PHONY: hooks
hooks: deps ## have git run `make lint` and `make quick` before each commit
	@sh scripts/install-hooks

.PHONY: check
check: tree ## static checks of everything in the repository
	@$(LAB) check

.PHONY: kunit
kunit: tree ## run the KUnit suites on User Mode Linux
	@$(LAB) kunit $(if $(FILTER),'$(FILTER)')

.PHONY: coverage
coverage: tree ## which lines do the KUnit suites run? build/report/coverage
	@$(LAB) coverage

##@ Tests, group by group and all together

.PHONY: unit-test
unit-test: deps ## test the tools that prepare the tree
	@$(PYTEST) tests/unit

.PHONY: docs-test
docs-test: tree ## check the documents against the code, and render them
	@$(PYTEST) tests/docs

.PHONY: uml-test
uml-test: tree ## boot User Mode Linux: does this machine get memory back?
	@$(PYTEST) $(SLOWEST) tests/uml

.PHONY: build-test
build-test: kernel-ours ## compile other users of the API, other configurations
	@$(DEPS_LONG)
	@$(PYTEST) tests/build

.PHONY: vm-test
# All tests boot both kernels: with both processors, and nothing beside, they are built
# in the shortest time.  With K, what a test boots is built when it does.
vm-test: image $(if $(K),,kernel-debug) ## run the tests that boot guests
	@$(DEPS_LONG)
	@$(GUESTS) tests/vm

.PHONY: vm-smoke
vm-smoke: image ## a few of them: return, integrity, unbacked, flush
	@$(GUESTS) -m smoke tests/vm

.PHONY: xen-test
xen-test: xen-image ## run the tests that boot Xen
	@$(GUESTS) tests/xen

.PHONY: bench-test
bench-test: xen-image $(if $(ALL),kernel-stock) ## run the benchmarks at a small size
	@$(PYTEST) tests/bench

.PHONY: report-test
report-test: deps ## lay the page of `make report` out in a browser
	@sh scripts/install-deps packages-browser.txt
	@$(PYTEST) tests/report

.PHONY: deb-test
deb-test: $(if $(ALL),image,tree) ## build the packages, look into them, boot one
	@sh scripts/install-deps packages-deb.txt
	@$(PYTEST) tests/deb

.PHONY: distro-test
distro-test: image ## install the packages in a Debian: half an hour
	@sh scripts/install-deps packages-deb.txt packages-distro.txt
	@$(LAB) deb small
	@$(PYTEST_ALL) -x tests/distro

.PHONY: stress stress-settings
stress: stress-settings image kernel-$(or $(KERNEL),stress) ## everything at random, for HOURS=1, from SEED
	@$(STRESS)

# What is wrong with them is said before a kernel is built.
STRESS = HOURS="$(HOURS)" SEED="$(SEED)" KERNEL="$(KERNEL)" $(LAB) stress
stress-settings:
	@$(STRESS) --check

.PHONY: series-test
series-test: tree ## build each patch of the series, run the suites of some
	@$(PYTEST_ALL) tests/build/test_series.py

.PHONY: clone-test
clone-test: deps ## try every target that is listed here in a clean clone
	@$(LAB) tree --stock-only
	@KERNEL_SOURCE=7.3 $(LAB) tree --stock-only
	@$(PYTEST) --durations=5 tests/clone

# Most tests run with the oldest kernel and QEMU; what differs in the newest shows in
# the KUnit suites and in a few guests.
NEWEST := KERNEL_SOURCE=7.3

.PHONY: test
test: deps ## run all tests; the last line adds up their results
	@$(LAB) suite check quick unit-test docs-test kunit uml-test \
		build-test vm-test xen-test bench-test report-test \
		"kunit $(NEWEST) FILTER=*" \
		"vm-smoke $(NEWEST) QEMU=10.0 LEAN=1" \
		--beside fuzz clone-test deb-test

.PHONY: test-all
test-all: deps ## run all tests with all kernels, QEMUs and Xens: hours
	@TESTS=all $(LAB) suite check quick fuzz unit-test docs-test kunit \
		uml-test build-test vm-test xen-test bench-test report-test deb-test \
		distro-test clone-test \
		"vm-test QEMU=10.0" \
		"xen-test QEMU=10.0" "xen-test XEN=4.20" "check $(NEWEST)" \
		"kunit $(NEWEST)" "uml-test $(NEWEST)" "build-test $(NEWEST)" \
		"vm-test $(NEWEST)" "vm-test $(NEWEST) QEMU=10.0" "xen-test $(NEWEST)"

##@ Measure: hours at full size, SCALE=8 for an eighth of it

# Each writes build/report/NAME.json and pictures, and goes on where it was stopped.
BENCHMARKS := density memhog page_fault scale hold discard build scatter busy \
	snapshot policy xen
BENCH := SCALE="$(SCALE)" ONLY="$(ONLY)" VARIANT="$(VARIANT)" $(LAB) bench

.PHONY: bench $(BENCHMARKS:%=bench-%)
bench: kernels xen-image ## all benchmarks: takes hours
	@$(BENCH) $(BENCHMARKS)

bench-density: kernels image ## how many guests fit on a host before it swaps?
	@$(BENCH) density

bench-scatter: kernels image ## memory that is free in fragments
	@$(BENCH) scatter

bench-busy: image ## what do programs notice while it is made whole?
	@$(BENCH) busy

bench-snapshot: kernels image ## how large is a guest that is saved?
	@$(BENCH) snapshot

bench-memhog: kernels image ## guests that need much memory one after the other
	@$(BENCH) memhog

bench-page_fault: kernels image ## what does reporting cost a page fault?
	@$(BENCH) page_fault

bench-scale: kernels image ## what does a pass cost with up to 4 TiB?
	@$(BENCH) scale

bench-hold: image ## for how long is zone->lock held?
	@$(BENCH) hold

bench-discard: kernels image ## should the host use MADV_DONTNEED or MADV_FREE?
	@$(BENCH) discard

bench-build: kernels image ## the host memory of a guest that compiles
	@$(BENCH) build

bench-policy: kernels image ## when is memory reported, what does reuse cost?
	@$(BENCH) policy

bench-xen: kernels xen-image ## giving to Xen: its cost, how many domains fit
	@$(BENCH) xen

.PHONY: report
report: deps ## what was measured, on one page: build/report/index.html
	@$(LAB) report $(if $(KEEP),--keep)

##@ Install it, send it

.PHONY: deb
deb: tree ## Debian packages, FLAVOUR=cloud, small or tools: build/deb
	@sh scripts/install-deps packages-deb.txt
	@$(LAB) deb $(or $(FLAVOUR),cloud)

.PHONY: series
series: tree ## write our changes to the kernel as patches: build/series
	@$(LAB) series

##@ Set-up, which all others do by themselves, and its end

.PHONY: deps
deps: ## install the Debian packages that are missing
	@sh scripts/install-deps

.PHONY: tree
tree: deps ## unpack the kernel source and integrate: build/linux
	@$(LAB) tree

.PHONY: kernels
kernels: tree ## build the guest kernels: build/ours and build/stock
	@$(LAB) kernels stock ours

.PHONY: kernel-ours
kernel-ours: tree ## build only build/ours
	@$(LAB) kernels ours

.PHONY: kernel-stock
kernel-stock: deps ## build only build/stock
	@$(LAB) tree --stock-only
	@$(LAB) kernels stock

.PHONY: kernel-debug
kernel-debug: tree ## build build/debug: lock and memory checks, KUnit at boot
	@$(LAB) kernels debug

.PHONY: kernel-stress
kernel-stress: tree ## build build/stress: checks, and all that takes memory
	@$(LAB) kernels stress

.PHONY: kernel-uml
kernel-uml: tree ## build build/uml: User Mode Linux, for the demo
	@$(LAB) kernels uml

.PHONY: image
image: kernel-ours ## build the guest's root file system: build/initramfs.gz
	@$(LAB) qemu
	@$(LAB) image

.PHONY: xen-image
xen-image: image ## fetch Xen, build what boots it: build/xen
	@$(LAB) xen-image

.PHONY: clean
clean: ## remove everything that was built
	rm -rf build
