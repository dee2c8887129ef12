// LockRescue: a process that dies holds up none of those that share memory with it.
//
// libfabric's provider shm puts requests into the other side's memory under a spin lock that lies
// there. A process that is killed while it holds one never gives it back, and the other side would
// wait for it inside libfabric for good. So libfabric gets another pthread_spin_lock: it waits as
// the C library's does, but now and then looks whether the lock lies in memory that is shared
// through libfabric with a process that is no more. If so it returns as if it had got the lock.
//
// Nobody else can have it by then: each connection of a channel has endpoints of its own
// (libfabric_road.cc), so a lock has two users, the thread that posts and the one that serves. If
// it lies in the other's memory, and the other is dead, that is all. If it lies in this process'
// own, which of those that it shares memory with is the other user is not known here; if any of
// them is dead, and the lock was waited for so long that a holder that lives would have given it
// back, it is taken for dead. What the dead one left half done is a request that is never seen, or
// one that is never answered: time-outs and a new connection are the way out of both.
#pragma once

#include <pthread.h>

namespace tandem::rdma {

// Makes `library`, as dlopen gave it, wait so. Only its own calls change, by its table of imported
// functions. False: it does not import pthread_spin_lock, and nothing has changed. Call it before
// the library is used.
bool RescueLocksOf(void* library);

// The function that takes the place of pthread_spin_lock. Async-signal-safe.
int SpinLockOrRescue(pthread_spinlock_t* lock) noexcept;

}  // namespace tandem::rdma
