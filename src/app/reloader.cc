// SPDX-License-Identifier: Apache-2.0
#include "app/reloader.h"

#include <utility>

#include "control/config.h"
#include "gateway/configured_keys.h"
#include "gateway/owned_message.h"

namespace leat::app {

namespace {

// A shard makes its part in some milliseconds, the accounts theirs in some more for each 100,000
// keys.
constexpr Duration kPatience = seconds(20);
// How often configurations that nobody needs any more are looked for.
constexpr Duration kLookEach = seconds(1);

}  // namespace

Reloader::Reloader(Parts parts) : parts_(std::move(parts)) {}

void Reloader::stop() {
  parts_.control->wheel().cancel(timer_);
  running_.reset();
}

void Reloader::reload(bool is_trial, Then then) {
  control::ReloadResult outcome;
  if (running_ != nullptr || parts_.is_behind()) {
    outcome.status = 409;
    outcome.message = "Another reload is under way.";
    return finish(std::move(outcome), then);
  }
  if (parts_.config_file.empty()) {
    outcome.status = 422;
    outcome.message = "Leat runs without a configuration file: there is nothing to load.";
    return finish(std::move(outcome), then);
  }
  if (!parts_.is_open()) {
    outcome.status = 503;
    outcome.message = "Leat is about to end, or another process is taking over.";
    return finish(std::move(outcome), then);
  }
  std::shared_ptr<LoadedConfiguration> next;
  outcome = read(next);
  if (outcome.is_refused() || is_trial) return finish(std::move(outcome), then);
  running_ =
      std::make_unique<Running>(std::move(next), std::move(outcome.changes), std::move(then));
  ++attempt_;
  give_up_at_ = parts_.control->now() + kPatience;
  on_timer();
  prepare(0);
}

// Sound, of nothing that is fixed, and with all that it refers to.
control::ReloadResult Reloader::read(std::shared_ptr<LoadedConfiguration>& next) const {
  const LoadedConfiguration& current = parts_.configurations->current();
  control::ReloadResult outcome;
  outcome.status = 422;
  control::Config config = control::load_config(parts_.config_file, *parts_.surroundings);
  for (const control::Fault& fault : config.faults) outcome.faults.push_back(fault.to_string());
  if (!config.ok()) {
    outcome.message = "The configuration has faults.";
    return outcome;
  }
  outcome.changes = control::config_changes(current.options(), config.options, &current.routed(),
                                            config.catalogue.get());
  for (const control::ConfigChange& change : outcome.changes) {
    if (change.is_fixed) outcome.fixed.push_back(change.what);
  }
  if (!outcome.fixed.empty()) {
    outcome.message = "These need a restart, or a process that takes over:";
    for (const std::string& what : outcome.fixed) outcome.message += " " + what;
    return outcome;
  }
  auto material = std::make_unique<Material>();
  if (std::string fault = material->load(config.options, *parts_.surroundings); !fault.empty()) {
    outcome.message = std::move(fault);
    return outcome;
  }
  if (config.options.server.hardening == Hardening::kRequire && !material->is_locked()) {
    outcome.message = "Its keys cannot be locked in memory, which server.hardening asks for.";
    return outcome;
  }
  gateway::keep_places(current.options(), config.options);
  next = std::make_shared<LoadedConfiguration>(config.options, config.catalogue,
                                               std::move(material), parts_.control->io().wall_now(),
                                               parts_.shards, &current);
  outcome.status = 200;
  return outcome;
}

void Reloader::prepare(std::uint32_t shard) {
  auto order = std::make_unique<gateway::DeploymentOrder>();
  order->step = gateway::DeploymentOrder::Step::kPrepare;
  order->attempt = attempt_;
  order->configuration = Configurations::for_shards(running_->next);
  if (!parts_.post(shard, order)) give_up("A shard does not answer.");
}

// The first shard alone, then all others.
void Reloader::take(const shard::Message& message) {
  const auto report = gateway::owned_of<gateway::DeploymentReport>(message);
  // One that was given up may still be answered.
  if (running_ == nullptr || report->attempt != attempt_ || running_->is_left_to_accounts) return;
  if (!report->fault.empty()) return give_up(report->fault);
  if (++running_->prepared == 1) {
    for (std::uint32_t i = 1; i < parts_.shards && running_ != nullptr; ++i) prepare(i);
  }
  if (running_ != nullptr && running_->prepared == parts_.shards) ask_accounts();
}

void Reloader::ask_accounts() {
  running_->is_left_to_accounts = true;
  auto keys = std::make_shared<control::AccountReload>();
  keys->catalogue = &running_->next->catalogue();
  keys->options = &running_->next->options();
  keys->owner = running_->next;
  const bool is_asked = parts_.make_keys(std::move(keys), [this](const std::string& fault) {
    if (running_ == nullptr) return;
    if (!fault.empty()) return give_up(fault);
    serve();
  });
  if (!is_asked) give_up("The accounts have too much to do.");
}

// The shards have been told, with their keys.
void Reloader::serve() {
  const std::unique_ptr<Running> done = std::exchange(running_, nullptr);
  parts_.configurations->change(done->next);
  parts_.on_served(*done->next);
  control::ReloadResult outcome;
  outcome.is_applied = true;
  outcome.changes = done->changes;
  finish(std::move(outcome), done->then);
}

void Reloader::give_up(const std::string& why) {
  const std::unique_ptr<Running> done = std::exchange(running_, nullptr);
  for (std::uint32_t i = 0; i < parts_.shards; ++i) {
    auto order = std::make_unique<gateway::DeploymentOrder>();
    order->step = gateway::DeploymentOrder::Step::kForget;
    // Where there is no room for it, what was prepared is replaced by the next one.
    [[maybe_unused]] const bool is_told = parts_.post(i, order);
  }
  control::ReloadResult outcome;
  outcome.status = 422;
  outcome.message = why;
  finish(std::move(outcome), done->then);
}

void Reloader::finish(control::ReloadResult outcome, const Then& then) {
  outcome.generation = parts_.configurations->current().generation();
  if (outcome.is_refused()) ++refused_;
  if (outcome.is_applied) ++applied_;
  then(outcome);
}

void Reloader::on_timer() {
  parts_.configurations->free_unused();
  if (running_ != nullptr && !running_->is_left_to_accounts &&
      parts_.control->now() >= give_up_at_) {
    give_up("A shard does not answer.");
  }
  if (running_ == nullptr && parts_.configurations->kept_count() == 0) return;
  parts_.control->wheel().set(timer_, parts_.control->now() + kLookEach);
}

}  // namespace leat::app
