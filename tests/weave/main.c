/* SPDX-License-Identifier: MIT */
/*
 * Seeded interleavings of calls into one instance.
 *
 * usage: weave [--policy NAME] [--scenario NAME] [--schedules N] [--shorten yes|no]
 *
 * Without --policy and --scenario all of their tables; N schedules of each pair. PAGUS_SEED is the
 * seed of the first, the next has the next seed. A pair runs in a process of its own, so that a
 * failed assertion of the library ends that alone. Of a schedule that failed the switches are then
 * left out that it fails without, unless --shorten no, and the others printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/lab.h"
#include "weave/scenario.h"
#include "weave/world.h"

#define MOST_TRIES 3000 /* to shorten a schedule */

static const char *const policies[] = { "linux", "pcpbuddy", "pcpbuddy-bitmap", "superpageblock" };

/* What has to have come up in the schedules of a policy, or they test less than they say. */
static const struct {
	const char *policy;
	enum pagus_counter counter;
} wanted[] = {
	{ "linux", PAGUS_COUNTER_free_deferred },
	{ "linux", PAGUS_COUNTER_pcp_drain },
	{ "pcpbuddy", PAGUS_COUNTER_pageblock_own },
	{ "pcpbuddy", PAGUS_COUNTER_pageblock_disown },
	{ "pcpbuddy", PAGUS_COUNTER_pcp_free_remote },
	{ "pcpbuddy", PAGUS_COUNTER_pcp_free_deferred },
	{ "pcpbuddy", PAGUS_COUNTER_pcp_recover_pages },
	{ "pcpbuddy", PAGUS_COUNTER_free_deferred },
	{ "pcpbuddy-bitmap", PAGUS_COUNTER_pageblock_own },
	{ "pcpbuddy-bitmap", PAGUS_COUNTER_pageblock_disown },
	{ "pcpbuddy-bitmap", PAGUS_COUNTER_pcp_free_remote },
	{ "pcpbuddy-bitmap", PAGUS_COUNTER_pcp_recover_pages },
	{ "pcpbuddy-bitmap", PAGUS_COUNTER_free_deferred },
	{ "superpageblock", PAGUS_COUNTER_superpageblock_taint },
	{ "superpageblock", PAGUS_COUNTER_superpageblock_clean },
	{ "superpageblock", PAGUS_COUNTER_pcp_free_remote },
};
#define NR_WANTED (sizeof(wanted) / sizeof(wanted[0]))

/* What a process tells of its schedules. */
struct told {
	struct weave_log log;
	uint64_t schedules, steps, switches, counters[NR_WANTED];
};

static struct told *told;   /* shared with the processes */
static struct weave_log shortest;

/* ---- in a process of its own ----------------------------------------------------------------- */

static void tell(const char *policy)
{
	told->schedules++;
	told->steps += told->log.steps;
	told->switches += told->log.nr_switches;
	for (size_t n = 0; n < NR_WANTED; n++)
		if (!strcmp(wanted[n].policy, policy))
			told->counters[n] += pagus_counter_read(&world.p, wanted[n].counter);
}

static void run_all(const struct scenario *scenario, const char *policy, uint64_t seed, uint64_t nr)
{
	weave_log_to(&told->log);
	world_open(policy, scenario->nr_callers);
	for (uint64_t n = 0; n < nr; n++) {
		told->log.seed = seed + n;
		scenario_run(scenario, &told->log, NULL);
		tell(policy);
	}
	world_close();
}

static void run_again(const struct scenario *scenario, const char *policy,
		      const struct weave_log *again)
{
	weave_log_to(&told->log);
	told->log.seed = again->seed;
	world_open(policy, scenario->nr_callers);
	scenario_run(scenario, &told->log, again);
	world_close();
}

/* ---- outside --------------------------------------------------------------------------------- */

/* Schedules from `seed` on, or `again` one: true if all passed. Else told->log is of the failed. */
static bool try(const struct scenario *scenario, const char *policy, uint64_t seed, uint64_t nr,
		const struct weave_log *again)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (child < 0) {
		perror("weave: fork");
		exit(1);
	}
	if (child == 0) {
		if (again && !freopen("/dev/null", "w", stderr))
			_exit(1);
		if (again)
			run_again(scenario, policy, again);
		else
			run_all(scenario, policy, seed, nr);
		exit(0);
	}
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status) && !told->log.failure[0])
		snprintf(told->log.failure, sizeof(told->log.failure),
			 "signal %d: an assertion of the library, or a wild access",
			 WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static struct weave_log without(const struct weave_log *log, uint32_t from, uint32_t nr)
{
	struct weave_log less = *log;

	memmove(less.switches + from, less.switches + from + nr,
		(less.nr_switches - from - nr) * sizeof(less.switches[0]));
	less.nr_switches -= nr;
	return less;
}

/* Leave out switches, at first half of them at once, at last one by one, while it still fails. */
static void shorten(const struct scenario *scenario, const char *policy)
{
	uint32_t tries = 0;

	shortest = told->log;
	for (uint32_t nr = (shortest.nr_switches + 1) / 2; nr > 0; nr /= 2) {
		for (uint32_t from = 0; from + nr <= shortest.nr_switches;) {
			static struct weave_log less;

			less = without(&shortest, from, nr);
			if (++tries > MOST_TRIES || try(scenario, policy, 0, 0, &less))
				from += nr;
			else
				shortest = less;
		}
	}
	if (try(scenario, policy, 0, 0, &shortest))
		snprintf(told->log.failure, sizeof(told->log.failure), "not repeated");
}

static void print_failure(const struct scenario *scenario, const char *policy, bool short_too)
{
	printf("FAILED: PAGUS_SEED=%llu, policy %s, scenario %s: %s\n"
	       "repeat: PAGUS_SEED=%llu weave --policy %s --scenario '%s' --schedules 1\n",
	       (unsigned long long)told->log.seed, policy, scenario->name, told->log.failure,
	       (unsigned long long)told->log.seed, policy, scenario->name);
	if (!short_too)
		return;
	shorten(scenario, policy);
	printf("with %u switches it fails with: %s\n", shortest.nr_switches, told->log.failure);
	for (uint32_t n = 0; n < shortest.nr_switches; n++)
		printf("  point %5u, at %-8s CPU %u's caller goes on\n", shortest.switches[n].step,
		       shortest.switches[n].where, shortest.switches[n].to);
}

static bool run_policy(const char *policy, const char *only, uint64_t seed, uint64_t nr,
		       bool short_too)
{
	bool ok = true;

	memset(told->counters, 0, sizeof(told->counters));
	for (uint32_t n = 0; n < nr_scenarios; n++) {
		const struct scenario *scenario = &scenarios[n];

		if (only && strcmp(only, scenario->name))
			continue;
		told->schedules = told->steps = told->switches = 0;
		if (try(scenario, policy, seed, nr, NULL)) {
			printf("%-16s %-14s %8llu schedules passed, %.1f points and %.1f switches each\n",
			       policy, scenario->name, (unsigned long long)told->schedules,
			       (double)told->steps / (double)told->schedules,
			       (double)told->switches / (double)told->schedules);
		} else {
			print_failure(scenario, policy, short_too);
			ok = false;
		}
	}
	for (size_t n = 0; n < NR_WANTED && ok && !only && nr >= 100; n++) {
		if (strcmp(wanted[n].policy, policy) || told->counters[n])
			continue;
		printf("FAILED: policy %s: %s never came up\n", policy,
		       pagus_counter_name(wanted[n].counter));
		ok = false;
	}
	return ok;
}

static int usage(void)
{
	fprintf(stderr, "usage: weave [--policy NAME] [--scenario NAME] [--schedules N] "
			"[--shorten yes|no]\n");
	for (uint32_t n = 0; n < nr_scenarios; n++)
		fprintf(stderr, "  %-14s %s\n", scenarios[n].name, scenarios[n].about);
	return 1;
}

int main(int argc, char **argv)
{
	const char *policy = NULL, *scenario = NULL;
	uint64_t nr = 300, seed = lab_env("PAGUS_SEED", 1);
	bool ok = true, any = false, short_too = true;

	for (int n = 1; n + 1 < argc; n += 2) {
		if (!strcmp(argv[n], "--policy"))
			policy = argv[n + 1];
		else if (!strcmp(argv[n], "--scenario"))
			scenario = argv[n + 1];
		else if (!strcmp(argv[n], "--schedules"))
			nr = strtoull(argv[n + 1], NULL, 10);
		else if (!strcmp(argv[n], "--shorten"))
			short_too = strcmp(argv[n + 1], "no");
		else
			return usage();
	}
	for (uint32_t n = 0; n < nr_scenarios; n++)
		any |= !scenario || !strcmp(scenario, scenarios[n].name);
	if (argc % 2 == 0 || nr == 0 || !any || (policy && !pagus_policy_known(policy)))
		return usage();
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED) {
		perror("weave: mmap");
		return 1;
	}
	printf("PAGUS_SEED=%llu\n", (unsigned long long)seed);
	for (size_t n = 0; n < sizeof(policies) / sizeof(policies[0]); n++)
		if (!policy || !strcmp(policy, policies[n]))
			ok &= run_policy(policies[n], scenario, seed, nr, short_too);
	return ok ? 0 : 1;
}
