/* SPDX-License-Identifier: MIT */
/*
 * Memory hotplug: ranges of the configuration come online and go offline while others allocate and
 * free.
 *
 *     offline --pagus_online--> isolated, then free     online --pagus_offline--> isolated, emptied,
 *                                                                              then no memory
 *
 * A range that may be plugged is part of the configuration (pagus_range.offline): it has records from
 * the beginning, and room in the zones that it may go to. Memory of the boot may go offline too,
 * and come again; where its node has no range that may be plugged, only to the zone that it was in.
 *
 * Units: a range begins with a pageblock and ends with a section (section_order), lies on one node,
 * and goes wholly to one zone. Locking: may be called from any CPU at any time, with no lock of the
 * port held, one such call at a time: a second one finds it BUSY, and so does either while a zone's
 * pcps are off. Not while the instance is being set up (pagus_boot_done). A hold of a zone's lock is
 * about one pageblock, or one free block. What the instance shows by pagus_zone_info and the like
 * changes on the way.
 *
 * When memory has come or gone, marks, lowmem reserves, pcp limits and thresholds are computed anew
 * for all zones, without boosts. min_free_kbytes is chosen anew, from all managed pages, as
 * pagus_boot_done does, so it depends on what memory there is alone (the kernel leaves out as
 * many pages as the high marks say, as they were before: its value is less by half their share of
 * memory, and depends on what came before);
 * what was set wins where it is more. Zonelists are built anew when a zone comes to have memory or has
 * none any more; a request that finds nothing in lists that have changed since begins anew.
 */
#ifndef PAGUS_HOTPLUG_H
#define PAGUS_HOTPLUG_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which zone: the words that the kernel's memoryN/state takes, online, online_kernel, online_movable. */
enum pagus_online {
	PAGUS_ONLINE,         /* as the tunable online_policy says */
	PAGUS_ONLINE_KERNEL,  /* the zone below Normal whose span the range touches, else Normal */
	PAGUS_ONLINE_MOVABLE  /* Movable */
};

/*
 * The zone that the range would go to now; valid_zones of the kernel begins with it.
 *
 * online_policy 0, contig-zones: of the kernel zone above and Movable the one whose span the range
 * touches, if only one's does; else the kernel zone. 1, auto-movable: Movable, if with the range
 * movable memory (Movable, and CMA pageblocks) is at most auto_movable_ratio percent of the kernel
 * zones' memory of the boot (CMA left out), in all and, with auto_movable_numa_aware, on the node;
 * else the kernel zone.
 *
 * Errors: as pagus_online.
 */
enum pagus_status pagus_online_zone(const struct pagus *p, pagus_pfn_t start, uint64_t nr_pages,
				    enum pagus_online how, uint32_t *zone);

/*
 * The range becomes memory. It is part of the zone and isolated when notifiers are asked, so nothing
 * of it can be allocated before all have agreed; then its pages are freed in the largest blocks, and
 * isolation ends. On any error it is as before.
 *
 * Errors: BAD_RANGE: no pages, or not all of ranges of one node; BAD_ALIGN: begins inside a
 * pageblock, or ends inside a section; BAD_VALUE: no such `how`, or the zone has no room for it;
 * BUSY: a part of it is memory already, or see above; VETOED; UNSUPPORTED: the configuration has
 * HighMem.
 */
enum pagus_status pagus_online(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages,
			       enum pagus_online how);

/*
 * The range is no memory any more. The zone's pcps are off and the range is isolated; notifiers are
 * asked; what is in use is moved by its owner (the port's `isolate` and `move`), to other nodes, or,
 * where these have no room, to the same one, again and again until nothing is left. There is no limit
 * to that: it ends by success, or when *cancel, which anybody may set at any time, is not 0. Between
 * rounds that have moved nothing the port's `wait` is called. `cancel` may be NULL.
 *
 * Blocks of trait OFFLINE need not be moved: their driver gives them up, and does not free them
 * afterwards. Poisoned pages are forgotten, and those that were leaked. On any error the range is as
 * before, but for pages that were moved, and pcps that were drained; *obstacle, unless NULL, is the
 * first page that could not be isolated, where that was it.
 *
 * Errors: BAD_RANGE: not all of it is memory of one zone; BAD_ALIGN as above; BUSY: something in it
 * cannot move, or is isolated already, or see above; VETOED; CANCELLED; UNSUPPORTED.
 */
enum pagus_status pagus_offline(struct pagus *p, pagus_pfn_t start, uint64_t nr_pages,
				const uint32_t *cancel, pagus_pfn_t *obstacle);

const char *pagus_memory_event_name(enum pagus_memory_event event);

/*
 * Several that want to be told, for ports: the chain is the caller's, sorted by descending priority,
 * who is equal behind who was first. pagus_notify_chain asks and tells as the port's `memory_notify`
 * has to. It is to be changed only while no memory is plugged.
 */
struct pagus_notifier {
	bool (*call)(void *ctx, enum pagus_memory_event event, pagus_pfn_t start, uint64_t nr_pages,
		     uint32_t node);
	void *ctx;
	int32_t priority;
	struct pagus_notifier *next;
};
void pagus_notifier_add(struct pagus_notifier **chain, struct pagus_notifier *notifier);
void pagus_notifier_remove(struct pagus_notifier **chain, struct pagus_notifier *notifier);
bool pagus_notify_chain(const struct pagus_notifier *chain, enum pagus_memory_event event,
			pagus_pfn_t start, uint64_t nr_pages, uint32_t node);

#ifdef __cplusplus
}
#endif

#endif
