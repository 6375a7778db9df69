// SPDX-License-Identifier: Apache-2.0
// ContentLog: what requests of certain keys said and were answered, on its way to files. A thread
// of its own takes the records out of the shards' rings, redacts and writes them and removes old
// files; nobody waits for it. Where it is behind, records are dropped by the shards; where the disk
// does not take them, by it; both are counted. Its functions are for one thread, its owner's; the
// rings' writers are the shards.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "gateway/content_record.h"
#include "leat/options.h"

namespace leat::control {

class ContentLog {
 public:
  // REQUIRES: a folder is set.
  ContentLog(const ContentLogSettings& settings, std::uint32_t shards);
  // Waits a moment for what is left. A thread that hangs in a write is left behind: it holds on to
  // what it uses.
  ~ContentLog();
  ContentLog(const ContentLog&) = delete;
  ContentLog& operator=(const ContentLog&) = delete;

  // Holds as long as this object.
  gateway::ContentRing* ring(std::uint32_t shard);
  // Begins its thread.
  void start();
  // What of it a reload changes, from the next record on: all but the folder. Waits for nobody.
  void change(const ContentLogSettings& settings);

  std::uint64_t written() const;  // records
  std::uint64_t dropped() const;
  // What has kept records from being written since the last call, or empty.
  std::string take_trouble();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace leat::control
