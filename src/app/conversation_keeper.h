// SPDX-License-Identifier: Apache-2.0
// ConversationKeeper: control's own table of conversations, of what the shards tell the health
// desk; from it they go to who takes over from this process, and into a file for the next start, so
// that no shard is asked for its table. Owned by the control shard, on whose thread all of it runs.
// What goes wrong with the file is said on stderr.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/wheel.h"
#include "control/conversation_file.h"
#include "control/surroundings.h"
#include "leat/options.h"
#include "policy/sticky_table.h"
#include "shard/shard.h"

namespace leat::app {

class ConversationKeeper {
 public:
  // Of options that are fixed.
  ConversationKeeper(shard::Shard& control, const Options& options);

  // Before any shard starts: what the process before left (state()), else what the file has.
  void load(const control::Surroundings& surroundings, std::string_view left);
  // For the shards to begin with; until begin().
  const std::vector<policy::HeldConversation>& first() const { return first_; }
  // All shards are there.
  void begin();
  // Another process keeps the file from here on; or does not, after all.
  void leave() { control_.wheel().cancel(save_timer_); }
  void return_to_work() { on_save(); }
  // What a shard has told.
  void take(std::span<const policy::HeldConversation> news);
  // For who takes over (control/conversation_state.h); empty where none are held.
  std::string state() const;
  // After the last news.
  void save();

 private:
  void on_save();
  void set_timer();

  shard::Shard& control_;
  const bool is_on_;           // somebody may come to want them
  policy::StickyTable table_;  // of no more than are kept
  control::ConversationFile file_;
  std::vector<policy::HeldConversation> first_;
  bool has_news_ = false;  // since it was saved
  Timer save_timer_{timer_callback<&ConversationKeeper::on_save>, this};
};

}  // namespace leat::app
