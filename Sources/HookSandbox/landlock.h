// Landlock: the kernel's own answer to "may this process touch that path", independent of the
// system call filter. By raw system calls, because neither glibc nor Debian's headers know all of it.
#pragma once

/// The Landlock version that this kernel speaks, or 0: not built in, or not switched on.
int landlock_version(void);

/// Takes all access to the file system from this process and its children; where the kernel's
/// version allows, binding and connecting TCP sockets (4), and abstract sockets and signals to
/// processes outside (6), too. Needs no_new_privs. Returns the version, or 0: nothing changed.
int landlock_confine(void);
