/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: everything that the core's files tell each other, for
 * KUnit tests.
 */
#ifndef _MM_PAGE_REPORTING_INTERNALS_H
#define _MM_PAGE_REPORTING_INTERNALS_H

#include "../backend.h"
#include "../batch.h"
#include "../consolidate.h"
#include "../cycle.h"
#include "../density.h"
#include "../flush.h"
#include "../freelist.h"
#include "../order.h"
#include "../pass.h"
#include "../pieces.h"
#include "../policy.h"
#include "../restore.h"
#include "../retain.h"
#include "../reuse.h"
#include "../table.h"
#include "../tracker.h"
#include "../tunables.h"
#include "../unbacked.h"
#include "../vacate.h"
#include "../words.h"

#endif /* _MM_PAGE_REPORTING_INTERNALS_H */
