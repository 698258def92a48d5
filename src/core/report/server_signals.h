#pragma once

// The golden signals of the programs' HTTP servers, as the modules inside tell them
// (wire/worker_signals.h). A worker tells sums since it began: what is new in them is added to its
// program's, which therefore never fall, whoever ends. What a worker counted after it had told
// last ends with it.
//
// Labels are bounded: kinds of requests beyond RequestSignals::kMostSeries of a program are counted
// by their class alone.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/types.h"
#include "core/supervision/event.h"
#include "wire/exposition.h"
#include "wire/worker_signals.h"

namespace ni {

class ServerSignals {
 public:
  void told(ProgramId program, Incarnation worker, const wire::WorkerSignals& signals);
  // What it had under way ends; its counts stay.
  void gone(Incarnation worker);

  // That a live worker has had, those given up among them; nullopt: it has not told.
  std::optional<std::uint64_t> requests(Incarnation worker) const;

  // How the loop of a live worker has spent its time; nullopt: it has not told.
  std::optional<wire::LoopTime> loop(Incarnation worker) const;

  using Named = std::pair<ProgramId, std::string>;
  void write(wire::Exposition& out, std::span<const Named> programs) const;

 private:
  using Kinds = std::map<wire::RequestKind, wire::RequestTimes>;
  struct OfProgram {
    Kinds kinds;
    std::uint64_t aborted = 0;
  };
  struct OfWorker {
    ProgramId program;
    Kinds kinds;  // as told last
    std::uint64_t aborted = 0;
    std::uint64_t active = 0;
    std::uint64_t upgrades = 0;
    std::optional<wire::LoopTime> loop;
  };
  static void add(OfProgram& sum, OfWorker& worker, const wire::RequestSignals& told);
  static wire::RequestTimes& place_for(Kinds& kinds, wire::RequestKind kind);
  std::uint64_t sum_of(ProgramId program, std::uint64_t OfWorker::*figure) const;
  void write_durations(wire::Exposition& out, std::span<const Named> programs) const;

  std::map<ProgramId, OfProgram> programs_;  // those that have told anything
  std::map<Incarnation, OfWorker> workers_;
};

}  // namespace ni
