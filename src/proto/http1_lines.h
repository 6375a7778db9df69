// SPDX-License-Identifier: Apache-2.0
// scan_head(): takes a head apart into its start line and its fields, checking each line's form as
// soon as it is complete. Shared by both parsers, of the layer's own.
//
// A Sink builds the head:
//   kLeadingCrlf                            one empty line may come before the start line
//   HttpFault start_line(line, bytes)       form of the start line; told again after a resumption
//   void field(known, name, value)          meaning of a field; keeps its faults for finish()
//   HttpFault finish()                      what is wrong with the head as a whole
//
// A fault of form is found at the line it is in, a fault of meaning at the end of the head; so the
// answer does not depend on how the bytes were cut.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "proto/http1_field.h"
#include "proto/http1_head.h"

namespace leat::proto {

inline void check_limits(const HeadLimits& limits) {
  LEAT_CHECK(limits.head_bytes_max <= kHeadBytesMax);
  LEAT_CHECK(limits.fields_max <= FieldList::kFieldsMax);
}

// Why a byte that ends a line early is wrong.
inline HttpFault control_fault(char byte) {
  if (byte == '\n') return HttpFault::kBareLf;
  if (byte == '\0') return HttpFault::kNul;
  return HttpFault::kControlByte;
}

struct SplitField {
  HttpFault fault = HttpFault::kNone;
  std::string_view name;
  std::string_view value;
};

// Why a line whose first byte that is no token byte stands at `at` is no field.
inline HttpFault field_fault(const char* begin, const char* at, const char* end) {
  if (at == end) return HttpFault::kFieldWithoutColon;
  const bool space = *at == ' ' || *at == '\t';
  if (at == begin && space) return HttpFault::kObsFold;
  if (at == begin && *at == ':') return HttpFault::kEmptyFieldName;
  return space ? HttpFault::kSpaceBeforeColon : HttpFault::kBadFieldName;
}

// REQUIRES: the line is not empty and holds no control byte but HTAB.
template <class Scan>
SplitField split_field(const Scan& scan, std::string_view line) {
  const char* const begin = line.data();
  const char* const end = begin + line.size();
  const char* const colon = scan.find_not_token(begin, end);
  if (colon == begin || colon == end || *colon != ':') {
    return {.fault = field_fault(begin, colon, end)};
  }
  const char* value = colon + 1;
  const char* value_end = end;
  while (value != value_end && (*value == ' ' || *value == '\t')) ++value;
  while (value != value_end && (value_end[-1] == ' ' || value_end[-1] == '\t')) --value_end;
  return {HttpFault::kNone,
          {begin, static_cast<std::size_t>(colon - begin)},
          {value, static_cast<std::size_t>(value_end - value)}};
}

// One walk from `progress` on. `told` says whether the sink hears of the fields: a walk that goes
// on where an earlier call stopped only checks their form.
template <class Scan, class Sink>
HeadStatus walk_lines(std::string_view bytes, const HeadLimits& limits, HeadScan& progress,
                      Sink& sink, bool told) {
  const Scan scan(bytes);
  const char* const begin = bytes.data();
  const char* const end = begin + std::min<std::size_t>(bytes.size(), limits.head_bytes_max);
  const char* at = begin + progress.at;
  const char* line_begin = begin + progress.line_start;
  std::uint32_t lines = progress.lines;
  const auto wait_at = [&](const char* next) {
    if (bytes.size() >= limits.head_bytes_max) return HeadStatus::bad(HttpFault::kHeadTooLarge);
    progress = {static_cast<std::uint32_t>(next - begin),
                static_cast<std::uint32_t>(line_begin - begin), lines};
    return HeadStatus::need();
  };
  for (;;) {
    const char* const hit = scan.find_control(at, end);
    const auto line_size = static_cast<std::size_t>(hit - line_begin);
    if (line_size > limits.line_bytes_max) {
      return HeadStatus::bad(lines == 0 ? HttpFault::kRequestLineTooLong
                                        : HttpFault::kFieldLineTooLong);
    }
    if (hit == end) return wait_at(end);
    if (*hit != '\r') return HeadStatus::bad(control_fault(*hit));
    if (hit + 1 == end) return wait_at(hit);
    if (hit[1] != '\n') return HeadStatus::bad(HttpFault::kBareCr);

    const std::string_view line(line_begin, line_size);
    at = line_begin = hit + 2;
    if (lines == 0) {
      if (line.empty() && Sink::kLeadingCrlf && hit == begin) continue;
      const HttpFault fault = sink.start_line(line, bytes);
      if (fault != HttpFault::kNone) return HeadStatus::bad(fault);
    } else {
      if (line.empty()) return HeadStatus::done(static_cast<std::size_t>(at - begin));
      if (lines > limits.fields_max) return HeadStatus::bad(HttpFault::kTooManyFields);
      const SplitField field = split_field(scan, line);
      if (field.fault != HttpFault::kNone) return HeadStatus::bad(field.fault);
      if (told) sink.field(find_known_field(field.name), field.name, field.value);
    }
    ++lines;
  }
}

template <class Scan, class Sink>
HeadStatus scan_head(std::string_view bytes, const HeadLimits& limits, HeadScan& progress,
                     Sink& sink) {
  const bool from_the_start = progress.lines == 0;
  HeadStatus status = walk_lines<Scan>(bytes, limits, progress, sink, from_the_start);
  if (!status.complete()) return status;
  // The sink has not heard of the lines that earlier calls walked over: tell it all, once.
  progress = {};
  if (!from_the_start) {
    status = walk_lines<Scan>(bytes.substr(0, status.head_bytes), limits, progress, sink, true);
  }
  const HttpFault fault = sink.finish();
  return fault == HttpFault::kNone ? status : HeadStatus::bad(fault);
}

}  // namespace leat::proto
