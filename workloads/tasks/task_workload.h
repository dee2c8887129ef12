// TaskWorkload: the base of workloads on the tasks engine. Starts it, and turns what a task threw
// into a Status.
#pragma once

#include <string>
#include <utility>

#include "workloads/tasks/runtime.h"
#include "workloads/workload.h"

namespace tandem::workloads::tasks {

class TaskWorkload : public Workload {
 public:
  StatusOr<std::string> Execute(Session& session) final {
    try {
      Runtime runtime(session.mutator(), threads_);
      StatusOr<std::string> checksum = RunTasks(session, runtime.context());
      session.Count("tasks.stolen", runtime.scheduler().stolen());
      session.Count("tasks.threads", runtime.scheduler().threads_started());
      return checksum;
    } catch (const TaskError& error) {
      return error.heap_full ? HeapFull("running tasks") : Status::Internal(error.what());
    } catch (const HeapExhausted&) {
      return HeapFull("making arguments of tasks");
    } catch (const std::exception& error) {  // no thread could be started
      return Status::Unavailable(error.what());
    }
  }

 protected:
  TaskWorkload(std::string name, std::string summary)
      : Workload(std::move(name), std::move(summary), 2) {}

  // As Workload::Execute; `context` is the driver's. May throw TaskError and HeapExhausted.
  virtual StatusOr<std::string> RunTasks(Session& session, Context& context) = 0;
};

}  // namespace tandem::workloads::tasks
