/* SPDX-License-Identifier: MIT */
/*
 * One workload on one allocator, once: a line of JSON. bench.py runs this many times over.
 *
 * Usage: bench --adapter NAME[:ARGUMENT] | FILE.so[:ARGUMENT]
 *              [--workload NAME] [--order N] [--threads N] [--mib N] [--ms N] [--operations N]
 */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "mixed.h"
#include "workload.h"

#define MAX_PATH 4096

static const struct workload check_workload = { "check", { NULL }, 1, false, check_body };

struct request {
	const char *adapter;
	const struct workload *workload;
	unsigned long order, threads, mib, ms, operations;
};

static void fail(const char *what, const char *which)
{
	fprintf(stderr, "bench: %s: %s\n", which, what);
	exit(1);
}

static unsigned long number(const char *option, const char *text, unsigned long least,
			    unsigned long most)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || end == text || value < least || value > most) {
		fprintf(stderr, "bench: %s %s: not a number from %lu to %lu\n", option, text, least,
			most);
		exit(1);
	}
	return value;
}

static void usage(void)
{
	fputs("usage: bench --adapter NAME[:ARGUMENT]|FILE.so[:ARGUMENT] [--workload ", stderr);
	for (uint32_t n = 0; workload_at(n); n++)
		fprintf(stderr, "%s|", workload_at(n)->name);
	fputs("check] [--order N] [--threads N] [--mib N] [--ms N] "
	      "[--operations N]\n", stderr);
	exit(1);
}

static struct request read_request(int argc, char **argv)
{
	struct request r = { .workload = &check_workload, .threads = 1, .mib = 1024, .ms = 20,
			     .operations = 1000 };

	for (int n = 1; n < argc; n += 2) {
		const char *option = argv[n], *value = n + 1 < argc ? argv[n + 1] : NULL;

		if (!value)
			usage();
		if (strcmp(option, "--adapter") == 0) {
			r.adapter = value;
		} else if (strcmp(option, "--workload") == 0) {
			r.workload = strcmp(value, "check") == 0 ? &check_workload : workload_find(value);
			if (!r.workload)
				fail("no such workload", value);
		} else if (strcmp(option, "--order") == 0) {
			r.order = number(option, value, 0, BENCH_MAX_ORDER);
		} else if (strcmp(option, "--threads") == 0) {
			r.threads = number(option, value, 1, CREW_MAX_WORKERS);
		} else if (strcmp(option, "--mib") == 0) {
			r.mib = number(option, value, 32, 1u << 24);
		} else if (strcmp(option, "--ms") == 0) {
			r.ms = number(option, value, 1, 60000);
		} else if (strcmp(option, "--operations") == 0) {
			r.operations = number(option, value, 1, 1u << 30);
		} else {
			usage();
		}
	}
	if (!r.adapter)
		usage();
	if (r.threads < r.workload->min_threads)
		fail("the workload needs more --threads", r.workload->name);
	return r;
}

/*
 * Some allocators have more thread-local variables than the loader keeps room for. It reads how
 * much only when a process begins.
 */
static void make_tls_room(char **argv)
{
	if (getenv("GLIBC_TUNABLES"))
		return;
	setenv("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=65536", 1);
	execv("/proc/self/exe", argv);
}

/* A name is that of a peer_NAME.so beside this program. */
static const struct bench_adapter *load_adapter(const char *spec, const char **argument)
{
	char path[MAX_PATH], program[MAX_PATH];
	const char *colon = strchr(spec, ':');
	int length = colon ? (int)(colon - spec) : (int)strlen(spec);
	ssize_t end = readlink("/proc/self/exe", program, sizeof(program) - 1);
	const struct bench_adapter *adapter;
	void *object;

	program[end < 0 ? 0 : end] = '\0';
	*argument = colon ? colon + 1 : "";
	if (memchr(spec, '/', (size_t)length))
		length = snprintf(path, sizeof(path), "%.*s", length, spec);
	else
		length = snprintf(path, sizeof(path), "%.*s/peer_%.*s.so",
				  (int)(strrchr(program, '/') - program), program, length, spec);
	if (length < 0 || length >= MAX_PATH)
		fail("name too long", spec);
	object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!object)
		fail(dlerror(), spec);
	adapter = dlsym(object, "bench_adapter");
	if (!adapter)
		fail("does not define bench_adapter", path);
	return adapter;
}

static void print_phases(const struct request *r, const struct crew *crew)
{
	fputs(", \"phases\": {", stdout);
	for (uint32_t phase = 0; phase < CREW_MAX_PHASES && r->workload->phases[phase]; phase++) {
		double sum = 0;
		uint64_t ops = 0, workers = 0;

		for (uint32_t n = 0; n < crew->nr_workers; n++) {
			if (!crew->workers[n].phases[phase].ops)
				continue;
			sum += worker_result(&crew->workers[n], phase);
			ops += crew->workers[n].phases[phase].ops;
			workers++;
		}
		/* The mean over the threads of the time that one operation of a thread takes. */
		printf("%s\"%s\": {\"ns\": %.3f, \"operations\": %" PRIu64 "}", phase ? ", " : "",
		       r->workload->phases[phase], workers ? sum / (double)workers : 0, ops);
	}
	fputs("}", stdout);
}

static void print_ranges(const struct bench_setup *setup)
{
	for (uint32_t n = 0; n < MIXED_NR_RANGES; n++) {
		uint64_t used = mixed_ranges[n].used, all = setup->bytes >> mixed_ranges[n].shift;

		printf(", \"ranges_%s_used\": %" PRIu64, mixed_ranges[n].name, used);
		if (setup->base)
			printf(", \"ranges_%s_free\": %" PRIu64, mixed_ranges[n].name,
			       all > used ? all - used : 0);
	}
}

static void print_check(const struct bench_setup *setup, uint64_t resident_before)
{
	uint64_t resident = check_result.resident_bytes;

	printf(", \"blocks\": %" PRIu64 ", \"touched_pages\": %" PRIu64
	       ", \"metadata_bytes\": %" PRIu64 ", \"resident_metadata_bytes\": %" PRIu64,
	       check_result.blocks, check_result.touched_pages, setup->metadata_bytes,
	       resident > resident_before ? resident - resident_before : 0);
}

static void print_result(const struct request *r, const struct crew *crew,
			 const struct bench_setup *setup, uint64_t resident_before)
{
	printf(", \"mib\": %" PRIu64, setup->bytes >> 20);
	if (r->workload == &check_workload)
		print_check(setup, resident_before);
	else
		print_phases(r, crew);
	if (r->workload->mixed)
		print_ranges(setup);
}

static void run(const struct request *r, struct crew *crew, struct bench_setup *setup)
{
	uint64_t resident_before;
	const char *failure;

	if (!crew_equip(crew, setup->bytes / BENCH_PAGE_BYTES))
		fail("out of memory", r->workload->name);
	resident_before = check_resident_bytes();
	crew->allocator = crew->adapter->create(setup);
	if (crew->allocator) {
		crew->pages = setup->bytes / BENCH_PAGE_BYTES;
		crew->base = setup->base;
		failure = crew_run(crew);
		if (!failure)
			print_result(r, crew, setup, resident_before);
		crew->adapter->destroy(crew->allocator);
	} else {
		failure = setup->refusal ? setup->refusal : "not served";
	}
	if (failure)
		printf(", \"failure\": \"%s\"", failure);
	printf("}\n");
}

int main(int argc, char **argv)
{
	struct request r = read_request(argc, argv);
	struct bench_setup setup = { .nr_threads = (uint32_t)r.threads,
				     .orders = r.workload->mixed ? (2u << BENCH_MAX_ORDER) - 1
								 : 1u << r.order,
				     .bytes = (uint64_t)r.mib << 20 };
	struct crew crew = { .nr_workers = (uint32_t)r.threads,
			     .order = r.workload->mixed ? 0 : (uint32_t)r.order,
			     .sixteenths = r.workload == &check_workload ? 16 : 15,
			     .least_ns = (uint64_t)r.ms * 1000000,
			     .operations = r.operations, .body = r.workload->body };

	make_tls_room(argv);
	crew.adapter = load_adapter(r.adapter, &setup.argument);
	printf("{\"workload\": \"%s\", \"order\": %lu, \"threads\": %lu, \"cas_ns\": %.3f",
	       r.workload->name, r.order, r.threads, clock_cas_ns());
	run(&r, &crew, &setup);
	/* Not exit(): what allocators do at the end of a process is no part of this. */
	fflush(stdout);
	_exit(0);
}
