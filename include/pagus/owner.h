/* SPDX-License-Identifier: MIT */
/*
 * What the owner of a block in use says of it. The block is named by its first page and its order,
 * and has to be the caller's: nobody else may free it, or call these for it, at the same time. Else
 * they may be called from any CPU of the port at any time. pagus.h includes this file.
 *
 * To pin a block is to hold a further reference (pagus_get_page): a block with one is not moved. Where
 * pages are kept in maps there are none, and the port's `traits` and `isolate` say what is pinned.
 */
#ifndef PAGUS_OWNER_H
#define PAGUS_OWNER_H

#include <pagus/pagus.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A number of the owner's, for him to find what the block belongs to: 0 when it is handed out, and
 * carried along when the block moves. Pieces of a split block have it too. Errors: as
 * pagus_free_pages, but BUSY; UNSUPPORTED where pages are kept in maps, which have no room for it.
 * An inherited page has none: NOT_ALLOCATED.
 */
enum pagus_status pagus_set_tag(struct pagus *p, pagus_pfn_t pfn, uint32_t order, uint32_t tag);
enum pagus_status pagus_tag(const struct pagus *p, pagus_pfn_t pfn, uint32_t order, uint32_t *tag);

/*
 * May the block be moved from now on? At first it may if it was requested with __GFP_MOVABLE. One
 * that may not counts as unmovable, whatever its pageblock is for. Errors: as pagus_set_tag, but
 * that maps have room for it.
 */
enum pagus_status pagus_set_movable(struct pagus *p, pagus_pfn_t pfn, uint32_t order, bool movable);

#ifdef __cplusplus
}
#endif

#endif
