/* SPDX-License-Identifier: MIT */
/* pagus synth: a load made from a model, as a .pgt file; or what models there are. */
#include "cmd.h"

#include <stdio.h>

#include "synth/model.h"
#include "synth/source.h"

#define USAGE "synth [MODEL[,KEY=VALUE...] OUT]"

static int list_models(void)
{
	const char *name, *about;

	puts("usage: pagus " USAGE "\n\nModels:");
	for (uint32_t n = 0; (name = synth_model_at(n, &about)); n++)
		printf("  %-10s %s\n", name, about);
	puts("\nKeys:");
	for (uint32_t n = 0; (name = synth_key_at(n, &about)); n++)
		printf("  %-10s %s\n", name, about);
	return 0;
}

/* What writes any trace as a .pgt file writes this one, compressed less: it can be made again. */
static int write_model(const char *model, char *path)
{
	char name[sizeof(SYNTH_PREFIX) + 256], verb[] = "convert", force[] = "--force";
	char level[] = "--level=3";
	char *arguments[] = { verb, force, level, name, path, NULL };

	if (snprintf(name, sizeof(name), SYNTH_PREFIX "%s", model) >= (int)sizeof(name))
		return cmd_fail("%s: too long for a model", model);
	return cmd_convert(5, arguments);
}

int cmd_synth(int argc, char **argv)
{
	if (argc == 1)
		return list_models();
	if (argc != 3 || argv[1][0] == '-')
		return cmd_usage(USAGE);
	return write_model(argv[1], argv[2]);
}
