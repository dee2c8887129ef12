// Everything of Tandem's C++ API in one include.
#pragma once

#include "tandem/allocation.h"         // IWYU pragma: export
#include "tandem/array.h"              // IWYU pragma: export
#include "tandem/garbage_collected.h"  // IWYU pragma: export
#include "tandem/heap.h"               // IWYU pragma: export
#include "tandem/member.h"             // IWYU pragma: export
#include "tandem/mutator.h"            // IWYU pragma: export
#include "tandem/persistent.h"         // IWYU pragma: export
#include "tandem/status.h"             // IWYU pragma: export
#include "tandem/timeline.h"           // IWYU pragma: export
#include "tandem/visitor.h"            // IWYU pragma: export
