/* SPDX-License-Identifier: MIT */
#include "outfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool outfile_may_replace(const char *path)
{
	struct stat st;

	return lstat(path, &st) != 0 || S_ISREG(st.st_mode);
}

static bool same_node(const char *a, const char *b)
{
	struct stat one, other;

	return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

/* Cuts a path in two: its folder, and the last name in it. */
static const char *folder_of(char *path, const char **name)
{
	char *slash = strrchr(path, '/');

	*name = slash ? slash + 1 : path;
	if (!slash)
		return ".";
	*slash = '\0';
	return slash == path ? "/" : path;
}

/* The same name in the same folder, whether or not a file is there. */
static bool same_place(const char *a, const char *b)
{
	char *one = strdup(a), *other = strdup(b);
	const char *name, *other_name;
	bool same = false;

	if (one && other) {
		const char *folder = folder_of(one, &name);

		same = same_node(folder, folder_of(other, &other_name)) &&
		       strcmp(name, other_name) == 0;
	}
	free(one);
	free(other);
	return same;
}

bool outfile_same(const char *a, const char *b)
{
	return same_node(a, b) || same_place(a, b);
}

bool outfile_open(struct outfile *f, const char *path)
{
	size_t room = strlen(path) + sizeof(".XXXXXX");
	mode_t mask = umask(0);
	int fd = -1;

	umask(mask);
	*f = (struct outfile){ .path = strdup(path), .temporary = malloc(room) };
	if (f->path && f->temporary) {
		snprintf(f->temporary, room, "%s.XXXXXX", path);
		fd = mkstemp(f->temporary);
	}
	if (fd >= 0 && fchmod(fd, 0666 & ~mask) == 0)
		f->stream = fdopen(fd, "w");
	if (!f->stream) {
		int why = errno;

		if (fd >= 0) {
			close(fd);
			unlink(f->temporary);
		}
		free(f->path);
		free(f->temporary);
		errno = why;
		return false;
	}
	return true;
}

static void forget(struct outfile *f)
{
	free(f->path);
	free(f->temporary);
	*f = (struct outfile){ 0 };
}

bool outfile_commit(struct outfile *f)
{
	bool failed = fflush(f->stream) != 0 || ferror(f->stream) || fsync(fileno(f->stream)) != 0;
	int why = errno;

	if (fclose(f->stream) != 0 && !failed) {
		failed = true;
		why = errno;
	}
	if (!failed && rename(f->temporary, f->path) != 0) {
		failed = true;
		why = errno;
	}
	if (failed)
		unlink(f->temporary);
	forget(f);
	errno = why;
	return !failed;
}

void outfile_abandon(struct outfile *f)
{
	if (!f->stream)
		return;
	fclose(f->stream);
	unlink(f->temporary);
	forget(f);
}
