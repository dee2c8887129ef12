// ProgressBar: shows a Progress on the terminal while it exists; on anything else, nothing.
//
// One at a time. It has a thread of its own, which only samples and draws.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "workloads/progress.h"

namespace tandem::tools {

class ProgressBar {
 public:
  // `label` says what is going on, in a word or three.
  ProgressBar(std::string label, const workloads::Progress& progress);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

 private:
  void DrawUntilStopped();

  const std::string label_;
  const workloads::Progress& progress_;
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace tandem::tools
