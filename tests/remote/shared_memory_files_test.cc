#include "rdma/remote/shared_memory_files.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

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

}  // namespace
}  // namespace tandem::rdma
