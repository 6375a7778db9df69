// SPDX-License-Identifier: Apache-2.0
// MetricsText: writes the Prometheus text exposition format, version 0.0.4, from values that the
// caller has already summed over the shards. A counter is not read here and nothing is kept; the
// names and help texts are the caller's, checked in debug builds, label values are escaped.
//
//   MetricsText text;
//   text.family("leat_requests_total", "Requests by outcome.", MetricKind::kCounter);
//   text.sample({{"outcome", "ok"}}, 17);
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace leat::control {

enum class MetricKind : std::uint8_t { kCounter, kGauge, kHistogram };

struct Label {
  std::string_view name;   // [a-zA-Z_][a-zA-Z0-9_]*
  std::string_view value;  // any text
};
using Labels = std::span<const Label>;

// How many observations were no greater than `upper`, all smaller buckets included.
struct Bucket {
  double upper;
  std::uint64_t count;
};

class MetricsText {
 public:
  // Begins a family; every sample after it belongs to it. A counter's name ends in _total, a unit
  // stands in the name and is a base one (_seconds, _bytes).
  void family(std::string_view name, std::string_view help, MetricKind kind);

  void sample(Labels labels, std::uint64_t value);
  void sample(Labels labels, double value);
  void sample(std::initializer_list<Label> labels, std::uint64_t value) {
    sample(Labels(labels.begin(), labels.size()), value);
  }
  void sample(std::initializer_list<Label> labels, double value) {
    sample(Labels(labels.begin(), labels.size()), value);
  }

  // REQUIRES: buckets rise in `upper` and in `count`; the +Inf bucket is `count` and is added.
  void histogram(Labels labels, std::span<const Bucket> buckets, double sum, std::uint64_t count);

  const std::string& text() const { return text_; }

  // What an HTTP answer with this text carries.
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  void line(std::string_view suffix, Labels labels, std::string_view upper, std::string_view value);

  std::string text_;
  std::string name_;
};

}  // namespace leat::control
