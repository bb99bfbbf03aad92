// Linux calls that Swift cannot make by itself: variadics, macros, and numbers without a wrapper.
#pragma once

#include "descriptors.h"
#include "guard.h"
#include "processes.h"
