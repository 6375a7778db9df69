// SPDX-License-Identifier: Apache-2.0
// Predecessors: the processes that this one took over from, directly or not, and that still finish
// what they began: hears what their requests come to, and tells the shards where the limits of
// these are at home. Part of the control shard, whose thread is its own.
#pragma once

#include <memory>
#include <vector>

#include "app/shard_thread.h"
#include "control/takeover.h"
#include "io/io.h"
#include "policy/carried_quantity.h"
#include "shard/shard.h"

namespace leat::app {

class Predecessors final : private io::PollHandler {
 public:
  Predecessors(shard::Shard& control, const std::vector<std::unique_ptr<ShardThread>>& threads)
      : control_(control), threads_(threads) {}
  ~Predecessors();

  // Where they tell it (TakeoverRequest::take_finishing). REQUIRES: the shards serve.
  void hear(std::vector<control::OwnedDescriptor> sockets);
  // Another process is to hear it instead: nothing more is read, until resume().
  void pause();
  void resume();
  // All that was read is with the shards.
  bool is_idle() const { return untold_.empty(); }
  // Of those that have not ended.
  std::vector<int> sockets() const;
  void stop();

 private:
  void on_poll(int fd, int events) override;
  bool read(int fd);
  void take(const policy::CarriedEnds& ends);
  void post_untold();

  shard::Shard& control_;
  const std::vector<std::unique_ptr<ShardThread>>& threads_;
  std::vector<control::OwnedDescriptor> sockets_;
  bool is_paused_ = false;
  // By shard; null: it has heard all. Empty: all have.
  std::vector<std::unique_ptr<policy::CarriedEnds>> untold_;
  Timer retry_timer_{timer_callback<&Predecessors::post_untold>, this};
};

}  // namespace leat::app
