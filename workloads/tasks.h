// RunTasks: work that falls into independent tasks, done by several attached threads.
//
// Tasks are taken in order, by whichever thread is free, so what a task does must not depend on
// the thread that does it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "tandem/mutator.h"
#include "tandem/status.h"

namespace tandem::workloads {

// Calls work(mutator, task) for every task below `tasks` on `threads` threads, each attached to
// the heap of `mutator`, and returns when all are done: everything they wrote is visible. The
// calling thread, which owns `mutator`, counts as blocked meanwhile. After a failure no more
// tasks are begun; returns the failure that came first.
Status RunTasks(Mutator& mutator, uint64_t threads, size_t tasks,
                const std::function<Status(Mutator&, size_t)>& work);

}  // namespace tandem::workloads
