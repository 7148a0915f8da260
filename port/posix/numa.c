/* SPDX-License-Identifier: MIT */
/*
 * NUMA of the system: the mbind system call, and what /sys says of CPUs and distances. Nothing of
 * libnuma is needed for that.
 */
#include "posix.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_NODES 1024
#define NODES "/sys/devices/system/node/"

enum pagus_status px_numa_bind(void *start, uint64_t bytes, int numa_node)
{
	unsigned long mask[MOST_NODES / (8 * sizeof(unsigned long))] = { 0 };
	size_t bits = 8 * sizeof(mask[0]);

	if (numa_node >= MOST_NODES)
		return px_error(PAGUS_BAD_NODE, "NUMA node %d: above %d", numa_node,
				MOST_NODES - 1);
	mask[(size_t)numa_node / bits] = 1ul << (size_t)numa_node % bits;
	/* The kernel reads one bit less than it is told. */
	if (syscall(SYS_mbind, start, bytes, MPOL_BIND, mask, MOST_NODES + 1, 0) == 0)
		return PAGUS_OK;
	if (errno == ENOSYS)
		return px_error(PAGUS_BAD_NODE, "NUMA node %d: this kernel has no NUMA", numa_node);
	return px_error(PAGUS_BAD_NODE, "NUMA node %d: mbind: %s", numa_node, strerror(errno));
}

/* ---- /sys ------------------------------------------------------------------------------------ */

/* The first line of a file; false if it cannot be read. */
static bool read_line(const char *path, char *line, size_t room)
{
	FILE *file = fopen(path, "re");
	bool read = file && fgets(line, (int)room, file);

	if (file)
		fclose(file);
	return read;
}

/*
 * Is `number` in a list such as "0-3,8-11"? Its place in the list is put into *rank, if that is not
 * NULL.
 */
static bool list_has(const char *list, unsigned long number, unsigned long *rank)
{
	unsigned long before = 0;
	char *end;

	for (const char *at = list; *at; at = *end == ',' ? end + 1 : "") {
		unsigned long first = strtoul(at, &end, 10), last = first;

		if (end == at)
			return false;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (number >= first && number <= last) {
			if (rank)
				*rank = before + number - first;
			return true;
		}
		before += last - first + 1;
	}
	return false;
}

int px_numa_node_of_cpu(uint32_t cpu)
{
	char online[1024], path[64], cpus[4096];

	if (!read_line(NODES "online", online, sizeof(online)))
		return -1;
	for (int node = 0; node < MOST_NODES; node++) {
		if (!list_has(online, (unsigned long)node, NULL))
			continue;
		snprintf(path, sizeof(path), NODES "node%d/cpulist", node);
		if (read_line(path, cpus, sizeof(cpus)) && list_has(cpus, cpu, NULL))
			return node;
	}
	return -1;
}

/* A row of distances has a number for each node that is online. */
uint32_t px_numa_distance(int from, int to)
{
	char online[1024], path[64], row[4096], *at = row, *end;
	unsigned long rank, distance = 0;

	snprintf(path, sizeof(path), NODES "node%d/distance", from);
	if (!read_line(NODES "online", online, sizeof(online)) ||
	    !read_line(path, row, sizeof(row)) ||
	    !list_has(online, (unsigned long)to, &rank))
		return 0;
	for (unsigned long n = 0; n <= rank; n++, at = end) {
		distance = strtoul(at, &end, 10);
		if (end == at)
			return 0;
	}
	return (uint32_t)distance;
}
