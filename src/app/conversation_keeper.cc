// SPDX-License-Identifier: Apache-2.0
#include "app/conversation_keeper.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "control/conversation_state.h"

namespace leat::app {

namespace {

void say(const std::string& line) {
  if (!line.empty()) std::fprintf(stderr, "leat: %s\n", line.c_str());
}

bool is_wanted(const Options& options) {
  if (options.routing.sticky_conversations_max == 0) return false;
  return !options.server.takeover_socket.empty() || !control::conversation_path(options).empty();
}

}  // namespace

ConversationKeeper::ConversationKeeper(shard::Shard& control, const Options& options)
    : control_(control),
      is_on_(is_wanted(options)),
      table_(is_on_ ? std::min<std::size_t>(options.routing.sticky_conversations_max,
                                            control::kKeptConversationsMax)
                    : 0),
      file_(control::conversation_path(options)) {}

void ConversationKeeper::load(const control::Surroundings& surroundings, std::string_view left) {
  if (!is_on_) return;
  const Instant now = control_.now();
  const WallTime wall = control_.io().wall_now();
  if (left.empty()) {
    say(file_.load(surroundings, now, wall, first_));
  } else if (auto read = control::read_conversations(left, now, wall)) {
    first_ = std::move(*read);
  } else {
    say(std::string("what the process before left of conversations ") + read.error().what +
        "; starting without them");
  }
  take(first_);
}

void ConversationKeeper::begin() {
  first_ = {};
  set_timer();
}

void ConversationKeeper::take(std::span<const policy::HeldConversation> news) {
  if (!is_on_ || news.empty()) return;
  has_news_ = true;
  for (const policy::HeldConversation& each : news) table_.take(each, control_.now());
}

std::string ConversationKeeper::state() const {
  if (!is_on_) return {};
  return control::write_conversations(table_.held(control_.now()), control_.now(),
                                      control_.io().wall_now());
}

void ConversationKeeper::save() {
  if (!file_.is_kept() || !std::exchange(has_news_, false)) return;
  say(file_.save(table_.held(control_.now()), control_.now(), control_.io().wall_now()));
}

void ConversationKeeper::on_save() {
  save();
  set_timer();
}

void ConversationKeeper::set_timer() {
  if (!file_.is_kept()) return;
  control_.wheel().set(save_timer_, control_.now() + control::StateFile::kInterval);
}

}  // namespace leat::app
