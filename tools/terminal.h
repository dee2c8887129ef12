// The terminal and the standard streams: output that may fail, and leaving in a hurry.
//
// PrepareProcess() comes first, on the main thread; after it any thread may call the rest.
#pragma once

#include <string_view>

#include "tandem/heap.h"
#include "tandem/status.h"

namespace tandem::tools {

// Makes sure that no file that is opened later becomes a standard stream by accident, that a
// closed pipe is an error of write() and not a signal, and that SIGINT and SIGTERM end the
// process at once with the terminal clean.
void PrepareProcess();

// Whether a progress line may be drawn on standard error.
bool CanDrawProgress();

// Replaces the progress line. An empty one erases it.
void DrawProgressLine(std::string_view line);

// To standard output, all of it, now. A reader that has gone away is an error with no message.
Status WriteOutput(std::string_view text);

// To standard error, as one line after "tandem: ".
void WriteError(std::string_view message);

// Says what was lost and exits with 1. Async-signal-safe, as Heap's handler must be.
[[noreturn]] void ExitOnLostPage(const LostPage& lost);

}  // namespace tandem::tools
