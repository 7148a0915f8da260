/* SPDX-License-Identifier: MIT */
/*
 * Evacuation, under policies with superpageblocks and ports that move pages: movable pages are moved
 * out of where they are in the way. It goes by levels, not by events: what there is to do is seen
 * anew at each step.
 *
 *     a tainted superpageblock has less free than its reserve
 *         -> its cheapest pageblocks are emptied, until it has two pageblocks more than that, as long as
 *            there is room where none is tainted
 *     fewer superpageblocks are empty than superpageblocks_ready asks for
 *         -> the emptiest clean one is emptied, if others in use have room, and the rest of the
 *            zone above its high mark
 *     few pages that cannot move are left in a tainted superpageblock, and others have room for as many
 *         -> the port is asked to reclaim there (pagus_reclaim.start_pfn), 32 pages a time, as long as
 *            they become fewer; with the last one it is clean again
 *     a request that cannot move would taint another superpageblock, and may wait
 *         -> room is made in those that are tainted (slow path, row "evacuate")
 *
 * What leaves a tainted superpageblock goes to clean ones, of what is free there. For a block as large
 * as a pageblock, where no pageblock is free, the one that costs the least is emptied.
 *
 * What is copied is charged to compact_rate's bucket. A pageblock, or a superpageblock, that could not
 * be emptied is left alone for some ticks.
 */
#ifndef PAGUS_EVACUATE_H
#define PAGUS_EVACUATE_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The node's check, due every second: true if its worker PAGUS_WORKER_EVACUATE has something to do,
 * which pagus_work does, a pageblock or a superpageblock a time. From any CPU, one at a time a node,
 * with that; the instance need not be idle. port/posix makes both calls by itself (posix.h).
 */
bool pagus_evacuate_tick(struct pagus *p, uint32_t node);

#ifdef __cplusplus
}
#endif

#endif
