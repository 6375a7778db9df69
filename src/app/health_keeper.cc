// SPDX-License-Identifier: Apache-2.0
#include "app/health_keeper.h"

#include <cstdio>
#include <string>
#include <utility>

#include "base/check.h"
#include "gateway/owned_message.h"

namespace leat::app {

namespace {

void say(const std::string& line) {
  if (!line.empty()) std::fprintf(stderr, "leat: %s\n", line.c_str());
}

}  // namespace

HealthKeeper::HealthKeeper(shard::Shard& control, ConversationKeeper& conversations,
                           const LoadedConfiguration& configuration, std::uint32_t count,
                           const std::vector<std::unique_ptr<ShardThread>>& threads,
                           std::function<bool(std::uint32_t)> is_behind)
    : control_(control),
      conversations_(conversations),
      count_(count),
      threads_(threads),
      is_behind_(std::move(is_behind)),
      desk_(make_desk(configuration)),
      file_(configuration.options().routing.health_file) {}

std::unique_ptr<gateway::HealthDesk> HealthKeeper::make_desk(
    const LoadedConfiguration& configuration) {
  generation_ = configuration.generation();
  return std::make_unique<gateway::HealthDesk>(
      configuration.snapshot(), count_,
      [this](std::uint32_t shard, std::unique_ptr<gateway::HealthUpdate>& update) {
        update->generation = generation_;
        return !is_behind_(shard) && threads_[shard]->post(update);
      });
}

// As over a restart.
void HealthKeeper::change(const LoadedConfiguration& configuration) {
  const WallTime wall = control_.io().wall_now();
  const auto state = desk_->state(control_.now(), wall);
  desk_ = make_desk(configuration);
  const auto restored = desk_->restore(state, control_.now(), wall);
  LEAT_CHECK(restored.has_value());
  desk_->tick(control_.now());
}

void HealthKeeper::load(const control::Surroundings& surroundings) {
  say(file_.load(surroundings, *desk_, control_.now(), control_.io().wall_now()));
}

void HealthKeeper::begin() {
  on_tick();
  control_.wheel().set(save_timer_, control_.now() + control::StateFile::kInterval);
}

void HealthKeeper::save() {
  say(file_.save(*desk_, control_.now(), control_.io().wall_now()));
}

void HealthKeeper::take(const shard::Message& message) {
  auto news = gateway::owned_of<gateway::HealthNews>(message);
  if (news->generation != generation_) {
    // Of endpoints by other numbers; conversations are the same for all.
    *news = {.shard = news->shard, .conversations = std::move(news->conversations)};
  }
  conversations_.take(news->conversations);
  desk_->take(*news, control_.now());
}

void HealthKeeper::on_tick() {
  desk_->tick(control_.now());
  control_.wheel().set(tick_timer_, control_.now() + gateway::kHealthInterval);
}

void HealthKeeper::on_save() {
  save();
  control_.wheel().set(save_timer_, control_.now() + control::StateFile::kInterval);
}

}  // namespace leat::app
