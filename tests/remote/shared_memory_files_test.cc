#include "rdma/remote/shared_memory_files.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "rdma/remote/lock_rescue.h"
#include "rdma/remote/ofi.h"

namespace tandem::rdma {
namespace {

namespace fs = std::filesystem;

TEST(SharedMemoryFiles, AnEndpointsNameIsThreeNumbers) {
  EXPECT_EQ(SharedMemoryName("fi_shm://12:0:3"), "12:0:3");
  EXPECT_EQ(SharedMemoryName("12:1000:30"), "12:1000:30");
  for (const char* wrong : {"", "fi_shm://", "1:2", "1:2:", "1:2:3:4", "1:2:x", "../1:2:3",
                            "-1:0:0", "fi_shm://../../tmp/x", "99999999999999999999999:0:0"}) {
    EXPECT_EQ(SharedMemoryName(wrong), "") << wrong;
  }
}

TEST(SharedMemoryFiles, OnlyThoseOfDeadProcessesOfThisUserAreRemoved) {
  const pid_t dead = fork();
  if (dead == 0) _exit(0);
  ASSERT_EQ(waitpid(dead, nullptr, 0), dead);
  char folder[] = "/tmp/tandem-test-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string user = std::to_string(getuid());
  const std::string gone = std::to_string(dead) + ":" + user;
  const std::string stay[] = {std::to_string(getpid()) + ":" + user + ":0",
                              std::to_string(dead) + ":" + std::to_string(getuid() + 1) + ":0",
                              gone,
                              gone + ":0.txt",
                              "0:" + user + ":0",
                              "other"};
  for (const std::string& name : stay) std::ofstream(fs::path(folder) / name) << "x";
  for (const char* number : {":0", ":17"}) std::ofstream(fs::path(folder) / (gone + number)) << "x";
  EXPECT_EQ(RemoveStaleSharedMemory(folder), 2u);
  for (const std::string& name : stay) EXPECT_TRUE(fs::exists(fs::path(folder) / name)) << name;
  EXPECT_EQ(RemoveStaleSharedMemory(folder), 0u);
  fs::remove_all(folder);
  EXPECT_EQ(RemoveStaleSharedMemory(folder), 0u);  // no such folder
}

// A file as an endpoint of the process would have it, mapped here.
class MappedFile {
 public:
  explicit MappedFile(pid_t process)
      : path_(fs::path(kSharedMemoryFolder) /
              (std::to_string(process) + ":" + std::to_string(getuid()) + ":987654")) {
    const int file = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    EXPECT_EQ(ftruncate(file, kBytes), 0);
    start_ = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    EXPECT_NE(start_, MAP_FAILED);
    close(file);
  }
  ~MappedFile() {
    munmap(start_, kBytes);
    fs::remove(path_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // A lock somewhere in it.
  pthread_spinlock_t* lock() const { return static_cast<pthread_spinlock_t*>(start_) + 100; }
  void Unlink() const { fs::remove(path_); }

 private:
  static constexpr size_t kBytes = 4096;
  const fs::path path_;
  void* start_ = nullptr;
};

// A process that does `body` and waits to be ended.
template <typename Body>
pid_t Start(const Body& body) {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    (void)!write(ends[1], "x", 1);
    for (;;) pause();
  }
  char done = 0;
  close(ends[1]);
  EXPECT_EQ(read(ends[0], &done, 1), 1);
  close(ends[0]);
  return child;
}

void End(pid_t process) {
  kill(process, SIGKILL);
  EXPECT_EQ(waitpid(process, nullptr, 0), process);
}

Sharers SharersOfLock(const MappedFile& file) {
  return SharersOf(const_cast<const int*>(file.lock()));
}

TEST(SharedMemoryFiles, WhoSharesMemoryIsKnownToBeDeadOnceItsProcessHasEnded) {
  const pid_t other = Start([] {});
  const MappedFile theirs(other);
  const MappedFile ours(getpid());
  const int elsewhere = 0;
  EXPECT_EQ(SharersOfLock(theirs), Sharers::kAlive);
  EXPECT_EQ(SharersOfLock(ours), Sharers::kAlive);
  kill(other, SIGKILL);
  siginfo_t info{};  // ended, and not waited for yet
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(other), &info, WEXITED | WNOWAIT), 0);
  for (const bool waited_for : {false, true}) {
    if (waited_for) End(other);
    EXPECT_EQ(SharersOfLock(theirs), Sharers::kOwnerDead) << waited_for;
    EXPECT_EQ(SharersOfLock(ours), Sharers::kSomebodyDead) << waited_for;
    EXPECT_EQ(SharersOf(&elsewhere), Sharers::kAlive);
  }
  theirs.Unlink();
  EXPECT_EQ(SharersOfLock(theirs), Sharers::kOwnerDead);
}

void WaitsForWhoLivesAndNotForWhoIsDead(bool lock_is_ours) {
  const MappedFile ours(getpid());
  const MappedFile first(getppid());  // lives, whoever it is
  pthread_spinlock_t* lock = ours.lock();
  pthread_spin_init(lock, PTHREAD_PROCESS_SHARED);
  EXPECT_EQ(SpinLockOrRescue(lock), 0);
  pthread_spin_unlock(lock);
  const pid_t other = Start([lock] { pthread_spin_lock(lock); });
  const MappedFile theirs(other);
  if (!lock_is_ours) {
    lock = theirs.lock();
    pthread_spin_init(lock, PTHREAD_PROCESS_SHARED);
    pthread_spin_lock(lock);  // in its place
  }
  std::atomic<bool> got{false};
  std::thread waiting([&] {
    EXPECT_EQ(SpinLockOrRescue(lock), 0);
    got = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_FALSE(got);  // its holder lives
  End(other);
  waiting.join();
  pthread_spin_unlock(lock);
  EXPECT_EQ(pthread_spin_trylock(lock), 0);
}

TEST(LockRescue, WaitsForWhoLivesAndNotForWhoIsDead) {
  for (const bool lock_is_ours : {false, true}) WaitsForWhoLivesAndNotForWhoIsDead(lock_is_ours);
}

TEST(LockRescue, LibfabricWaitsSo) {
  ASSERT_TRUE(GetInfo(Provider::kShmOfi, nullptr, nullptr, 0).ok());
  void* const libfabric = dlopen("libfabric.so.1", RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(libfabric, nullptr);
  EXPECT_TRUE(RescueLocksOf(libfabric));
  dlclose(libfabric);
  void* const other = dlopen("libm.so.6", RTLD_NOW);  // has no spin locks
  ASSERT_NE(other, nullptr);
  EXPECT_FALSE(RescueLocksOf(other));
}

}  // namespace
}  // namespace tandem::rdma
