// One invocation of one hook, in a process of its own.
#pragma once

/// Reads the request from `fd`, runs it, writes the outcome, and ends the process. The process is
/// confined already.
_Noreturn void worker_run(int fd);
