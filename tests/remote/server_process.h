// A memory server of its own process, for a test: `tandem memserver`, which TANDEM_COMMAND names.
// One that ends before it is told to, or not as it is told to, fails the test.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rdma/remote/remote_fabric.h"
#include "runtime/base/backoff.h"
#include "runtime/base/clock.h"

namespace tandem::rdma {

// Fabrics must be known before threads exist; whoever includes this sees to it.
inline const bool g_remote_fabrics_known = [] {
  RegisterRemoteFabrics();
  return true;
}();

// The fabrics among these that can be tested: none without an RDMA device, whose address
// TANDEM_RDMA_ADDRESS is. See tests/softroce.
inline std::vector<const char*> OnDevice(std::vector<const char*> fabrics) {
  return std::getenv("TANDEM_RDMA_ADDRESS") != nullptr ? fabrics : std::vector<const char*>();
}

// Where a server of that fabric may listen: any free port, or a name of this process' own.
inline std::string AnyAddress(const std::string& fabric, const std::string& name) {
  if (fabric.starts_with("shm")) return name + "-" + std::to_string(getpid());
  if (fabric.starts_with("tcp")) return "127.0.0.1:0";
  return std::string(std::getenv("TANDEM_RDMA_ADDRESS")) + ":0";
}

// Until the fabric has noticed that its server, which held the slab, was killed. Others notice at
// the next transfer; what shm has mapped is served until it looks.
inline void AwaitLoss(const Fabric& fabric, uint32_t slab = 0) {
  if (std::string_view(fabric.ServerOf({slab, 0})).find("shm:") == std::string_view::npos) return;
  const uint64_t start_ns = base::NowNs();
  for (base::Backoff backoff; base::NowNs() - start_ns < 60'000'000'000; backoff.Pause()) {
    if (fabric.Stats().lent_bytes == 0 || fabric.TroubleAt({slab, 0}) != nullptr) return;
  }
  ADD_FAILURE() << "nobody notices that the server was killed";
}

class ServerProcess {
 public:
  explicit ServerProcess(std::vector<std::string> arguments) {
    const char* command = std::getenv("TANDEM_COMMAND");
    if (command == nullptr) Die("TANDEM_COMMAND must name the command `tandem`");
    arguments.insert(arguments.begin(), {command, "memserver"});
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) Die("pipe2");
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that dies leaves no server behind
      dup2(ends[1], STDOUT_FILENO);
      execv(command, argv.data());
      _exit(127);
    }
    if (pid_ < 0) Die("fork");
    close(ends[1]);
    char c = 0;
    while (read(ends[0], &c, 1) == 1 && c != '\n') ready_ += c;
    close(ends[0]);
  }
  ~ServerProcess() {
    if (pid_ > 0) Kill(SIGKILL);
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // A server on any free port of this machine.
  static ServerProcess Tcp() { return ServerProcess({"--listen", "127.0.0.1:0"}); }

  // A server of that fabric, where no other listens: `name` is of the test's choice. Small slabs:
  // pinning takes long on a machine that is translated. Long leases: so do tests on busy ones.
  static ServerProcess Of(const std::string& fabric, const std::string& name = "test") {
    return ServerProcess(At(fabric, AnyAddress(fabric, name)));
  }
  // The arguments of one at an address. The lease is not what tells of its end: it is renewed every
  // twenty minutes.
  static std::vector<std::string> At(const std::string& fabric, const std::string& address) {
    return {"--fabric", fabric, "--listen", address, "--insecure",
            "--slab",   "4MiB", "--lease",  "3600"};
  }

  // "ready: URL lends ..."; empty if it did not get that far.
  const std::string& ready() const { return ready_; }
  std::string url() const {
    const size_t start = ready_.find("ready: ") == 0 ? 7 : ready_.size();
    return ready_.substr(start, ready_.find(' ', start) - start);
  }
  // HOST:PORT.
  std::string address() const { return url().substr(url().find("://") + 3); }

  pid_t pid() const { return pid_; }
  void Signal(int signal) const { kill(pid_, signal); }
  // Returns when all of its threads have come to a halt: the signal alone takes effect later.
  void Stop() const {
    Signal(SIGSTOP);
    int status = 0;
    waitpid(pid_, &status, WUNTRACED);
  }
  // Ends it: SIGKILL, or SIGTERM, upon which it has to exit with 0.
  void Kill(int signal) {
    Signal(signal);
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    const bool as_told = signal == SIGKILL ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                                           : WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (as_told) return;
    const std::string what = WIFSIGNALED(status)
                                 ? "was ended by signal " + std::to_string(WTERMSIG(status))
                                 : "has exited with " + std::to_string(WEXITSTATUS(status));
    if (testing::UnitTest::GetInstance()->current_test_info() != nullptr) {
      ADD_FAILURE() << "the memory server " << url() << ' ' << what;
    } else {  // the tests are over, and this program ends
      std::fprintf(stderr, "the memory server %s %s\n", url().c_str(), what.c_str());
      std::_Exit(1);
    }
  }

 private:
  [[noreturn]] static void Die(const char* why) {
    std::perror(why);
    std::abort();
  }

  pid_t pid_ = -1;
  std::string ready_;
};

}  // namespace tandem::rdma
