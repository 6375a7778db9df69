// SPDX-License-Identifier: Apache-2.0
#include "control/top_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <vector>

namespace leat::control {
namespace {

constexpr std::size_t kColumnsMin = 20;
constexpr std::string_view kReset = "\x1b[0m";

enum class Tone { kPlain, kHead, kGood, kWarn, kBad, kSoft };

std::string_view code_of(Tone tone) {
  switch (tone) {
    case Tone::kPlain:
      return "";
    case Tone::kHead:
      return "\x1b[1m";
    case Tone::kGood:
      return "\x1b[32m";
    case Tone::kWarn:
      return "\x1b[33m";
    case Tone::kBad:
      return "\x1b[31m";
    case Tone::kSoft:
      return "\x1b[2m";
  }
  return "";
}

// Control characters are left out; bytes beyond ASCII stay, as parts of characters.
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) out += c;
  }
  return out;
}

const JsonValue* at(const JsonValue& root, std::initializer_list<std::string_view> path) {
  const JsonValue* value = &root;
  for (const std::string_view part : path) {
    if (value != nullptr) value = value->find(part);
  }
  return value;
}

double number_at(const JsonValue& root, std::initializer_list<std::string_view> path) {
  const JsonValue* value = at(root, path);
  double number = NAN;
  if (value != nullptr && value->is(JsonValue::Kind::kNumber)) {
    std::from_chars(value->text.data(), value->text.data() + value->text.size(), number);
  }
  return number;
}

std::string short_number(double value) {
  if (std::isnan(value)) return "-";
  for (const auto& [size, unit] :
       {std::pair(1e12, "T"), std::pair(1e9, "G"), std::pair(1e6, "M"), std::pair(1e4, "k")}) {
    if (std::abs(value) >= size)
      return fmt::format("{:.1f}{}", value / (size == 1e4 ? 1e3 : size), unit);
  }
  return value == std::floor(value) ? fmt::format("{:.0f}", value) : fmt::format("{:.1f}", value);
}

std::string milliseconds_text(double value) {
  if (std::isnan(value)) return "-";
  return value >= 10'000 ? fmt::format("{:.1f}s", value / 1e3) : fmt::format("{:.0f}ms", value);
}

std::string age_text(double seconds) {
  if (std::isnan(seconds)) return "-";
  const auto whole = static_cast<std::int64_t>(seconds);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3'600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3'600, whole / 60 % 60);
}

struct Status {
  int number;
  const char* text;
  Tone tone;
};
constexpr Status kStatuses[] = {{0, "well", Tone::kGood},        {-1, "degraded", Tone::kWarn},
                                {-2, "recovering", Tone::kWarn}, {-3, "limited", Tone::kWarn},
                                {-5, "down", Tone::kBad},        {-10, "not asked", Tone::kBad}};

class Screen {
 public:
  Screen(const JsonValue& frame, const TopLook& look)
      : frame_(frame), look_(look), columns_(std::max(look.columns, kColumnsMin)) {}

  std::string write() {
    head();
    cores();
    rates();
    refusals();
    endpoints();
    running();
    return std::move(out_);
  }

 private:
  bool is_full() const { return look_.rows != 0 && lines_ >= look_.rows; }

  // Cut to the width, by characters.
  void line(std::string_view text, Tone tone = Tone::kPlain) {
    if (is_full()) return;
    std::size_t shown_characters = 0;
    std::size_t end = 0;
    for (; end < text.size(); ++end) {
      const bool begins = (static_cast<unsigned char>(text[end]) & 0xc0) != 0x80;
      if (begins && shown_characters++ == columns_) break;
    }
    const bool is_coloured = look_.with_colour && tone != Tone::kPlain;
    if (is_coloured) out_ += code_of(tone);
    out_ += text.substr(0, end);
    if (is_coloured) out_ += kReset;
    out_ += '\n';
    ++lines_;
  }

  double counter(std::string_view name) const { return number_at(frame_, {"counters", name}); }
  std::string rate(std::string_view name) const {
    return short_number(number_at(frame_, {"rates", name}));
  }

  void head() {
    const bool is_ready = frame_.is_true("ready");
    line(fmt::format("leat {}  {}  up {}  {} shards", shown(frame_.text_of("version")),
                     is_ready ? "serving" : "draining", age_text(number_at(frame_, {"uptime_s"})),
                     short_number(number_at(frame_, {"shards"}))),
         is_ready ? Tone::kHead : Tone::kWarn);
  }

  // Of more than fit, the first.
  void cores() {
    const JsonValue* all = frame_.find("cores");
    if (all == nullptr || all->items.empty()) return;
    std::string text = "cores";
    double waits = 0;
    for (const JsonValue& one : all->items) {
      text += fmt::format(" {:.0f}%", number_at(one, {"busy"}) * 100);
      waits = std::max(waits, number_at(one, {"hold_ms"}));
    }
    if (waits > 0) text += fmt::format("   events wait up to {}", milliseconds_text(waits));
    line(text);
  }

  void rates() {
    line(fmt::format("requests {}/s ({})   tokens {}/s   running {}   refused {}/s   failed {}/s",
                     rate("requests"), short_number(counter("requests")), rate("events"),
                     short_number(counter("requests_open")), rate("refused"), rate("failures")));
    const auto token = [&](std::string_view p) {
      return milliseconds_text(number_at(frame_, {"first_token_ms_5m", p}));
    };
    std::string text = fmt::format("first token 5m  p50 {}  p90 {}  p99 {}", token("p50"),
                                   token("p90"), token("p99"));
    const double charged = number_at(frame_, {"money", "charged_nanodollars"});
    if (!std::isnan(charged)) text += fmt::format("   charged ${:.4f}", charged / 1e9);
    line(text);
  }

  void refusals() {
    const JsonValue* reasons = frame_.find("refusals");
    if (reasons == nullptr || reasons->members.empty()) return;
    std::string text = "refused:";
    for (const JsonMember& reason : reasons->members) {
      text += fmt::format(" {} {}", shown(reason.key), shown(reason.value.text));
    }
    line(text, Tone::kSoft);
  }

  // The columns that names share: what the numbers leave.
  std::size_t name_width(std::size_t numbers) const {
    return std::clamp<std::size_t>(columns_ > numbers ? (columns_ - numbers) / 2 : 0, 8, 40);
  }

  static std::string fit(std::string_view text, std::size_t width) {
    std::string plain = shown(text);
    if (plain.size() > width) plain = plain.substr(0, width - 1) + "~";
    return fmt::format("{:<{}}", plain, width);
  }

  void endpoints() {
    const JsonValue* all = frame_.find("endpoints");
    if (all == nullptr || all->items.empty()) return;
    const std::size_t names = name_width(61);
    line("");
    line(fmt::format("{} {} {:<10} {:>8} {:>8} {:>7} {:>7} {:>7} {:>6}", fit("MODEL", names),
                     fit("ENDPOINT", names), "STATUS", "P50", "P99", "TOK/S", "UP 30M", "PLAN",
                     "WAIT"),
         Tone::kHead);
    for (const JsonValue& one : all->items) {
      const double number = number_at(one, {"status"});
      const auto* status = std::ranges::find(kStatuses, static_cast<int>(number), &Status::number);
      const bool is_known = status != std::end(kStatuses);
      const double up = number_at(one, {"uptime_30m"});
      const double plan = number_at(one, {"planned_share"});
      line(fmt::format("{} {} {:<10} {:>8} {:>8} {:>7} {:>7} {:>7} {:>6}",
                       fit(one.text_of("model"), names), fit(one.text_of("endpoint"), names),
                       is_known ? status->text : "?",
                       milliseconds_text(number_at(one, {"first_token_ms", "p50"})),
                       milliseconds_text(number_at(one, {"first_token_ms", "p99"})),
                       short_number(number_at(one, {"tokens_per_second"})),
                       std::isnan(up) ? "-" : fmt::format("{:.1f}%", up),
                       std::isnan(plan) ? "-" : fmt::format("{:.0f}%", plan * 100),
                       short_number(number_at(one, {"waiting"}))),
           !is_known || status->tone == Tone::kGood ? Tone::kPlain : status->tone);
    }
  }

  void running() {
    const JsonValue* all = frame_.find("running");
    if (all == nullptr || all->items.empty()) return;
    const std::size_t names = name_width(65);
    line("");
    line(fmt::format("{:>7} {:<36} {} {} {:<11} {:>6}", "AGE", "REQUEST", fit("KEY", names),
                     fit("MODEL", names), "STAGE", "TOKENS"),
         Tone::kHead);
    for (const JsonValue& one : all->items) {
      line(fmt::format("{:>7} {} {} {} {:<11} {:>6}", age_text(number_at(one, {"age_ms"}) / 1e3),
                       fit(one.text_of("id"), 36), fit(one.text_of("key"), names),
                       fit(one.text_of("model"), names), shown(one.text_of("stage")),
                       short_number(number_at(one, {"events"}))));
    }
  }

  const JsonValue& frame_;
  const TopLook look_;
  std::size_t columns_;
  std::size_t lines_ = 0;
  std::string out_;
};

}  // namespace

std::string top_screen(const JsonValue& frame, const TopLook& look) {
  return Screen(frame, look).write();
}

}  // namespace leat::control
