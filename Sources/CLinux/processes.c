#include "processes.h"

typedef int continuity_processes_placeholder;
