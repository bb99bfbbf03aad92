#include "descriptors.h"

typedef int continuity_descriptors_placeholder;
