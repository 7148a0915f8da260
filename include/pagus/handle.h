/* SPDX-License-Identifier: MIT */
/*
 * Handles: blocks of an instance of port/posix that the library may move while the program uses
 * them. A program keeps the handle, and opens it whenever it needs the address:
 *
 *     get -> open -> address, which stays what it is -> close -> ... -> free
 *
 * Between a close and the next open the block may have moved: compaction, or an allocation of a
 * contiguous range, has copied its contents to another place and freed the old one. A block that
 * somebody has open is never moved; one that is opened after the library has claimed it is left for
 * another time (PAGUS_MOVE_AGAIN).
 *
 * An instance has handles where pagus_posix_config.nr_handles is not 0. They cost 32 bytes each,
 * and 4 bytes for each page of the instance, which the system gives at their first use.
 *
 * All calls may be made by any thread at any time, but not in a signal handler. Opening and closing
 * takes no lock: one atomic each. An open waits for a move of its block to end, which is for one
 * copy, and so does a free.
 *
 * After fork() the child's handles are its own. What is open in the parent's other threads stays
 * open there, and is not moved any more. A child of MEMFD memory, which is shared with a parent that
 * may move blocks, has no handles: it opens none, and its other calls return BUSY.
 */
#ifndef PAGUS_HANDLE_H
#define PAGUS_HANDLE_H

#include <pagus/posix.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One that has been freed is not used again for 2^32 others of its place. */
typedef uint64_t pagus_handle_t;
#define PAGUS_NO_HANDLE 0

/* Opens of one handle at a time; a further one fails. */
#define PAGUS_HANDLE_MOST_OPEN ((1u << 24) - 1)

/*
 * 2^order pages by pagus_alloc_pages, asked for as movable, behind a new handle; not open. `user`
 * is for pagus_posix_config.relocate and pagus_handle_info. Contents are not defined, but with
 * __GFP_ZERO.
 *
 * Errors, *handle is PAGUS_NO_HANDLE then: those of pagus_alloc_pages; BAD_TYPE_BITS with
 * __GFP_RECLAIMABLE; BUSY where nr_handles are there already, or in a child of MEMFD memory;
 * UNSUPPORTED where the instance has no handles.
 */
enum pagus_status pagus_handle_get(struct pagus_posix *x, uint32_t gfp, uint32_t order, void *user,
				   pagus_handle_t *handle);

/*
 * The block's address, and what other threads wrote there before they closed it; it stays there
 * until as many calls of close as of open have been made. NULL for what is no handle, or not any
 * more, and with PAGUS_HANDLE_MOST_OPEN.
 */
void *pagus_handle_open(struct pagus_posix *x, pagus_handle_t handle);

/* BUSY if it is not open; NOT_ALLOCATED or DOUBLE_FREE for what is no handle, or not any more. */
enum pagus_status pagus_handle_close(struct pagus_posix *x, pagus_handle_t handle);

/*
 * The end of the handle, and a free of its block. Where the library has claimed the block, it is
 * freed as soon as the claim ends. BUSY while it is open, and in a child of MEMFD memory;
 * NOT_ALLOCATED for what never was a handle, DOUBLE_FREE for what is one no more. The block may not
 * be freed by pagus_posix_put.
 */
enum pagus_status pagus_handle_free(struct pagus_posix *x, pagus_handle_t handle);

/* As it is at some moment of the call. Statuses as for close. */
struct pagus_handle_info {
	void *user;
	pagus_pfn_t pfn; /* a block that is not open may have moved since */
	uint32_t order;
	uint32_t nr_open;
	bool claimed;    /* by the library, to be moved */
};
enum pagus_status pagus_handle_info(const struct pagus_posix *x, pagus_handle_t handle,
				    struct pagus_handle_info *info);

/* What has become of all handles' blocks so far, and how many handles there are. */
struct pagus_handle_stats {
	uint64_t nr_handles;
	uint64_t nr_moves, moved_pages;
	uint64_t nr_again; /* moves put off: the block was opened, or `relocate` refused */
};
void pagus_handle_stats(const struct pagus_posix *x, struct pagus_handle_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
