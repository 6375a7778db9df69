// SPDX-License-Identifier: Apache-2.0
#include "wire/agenda.h"

#include <algorithm>

namespace leat::tools {

Alarm::~Alarm() {
  if (agenda_ != nullptr) agenda_->cancel(*this);
}

void Agenda::place(std::size_t position, Alarm* alarm) {
  heap_[position] = alarm;
  alarm->position_ = position;
}

void Agenda::sift_up(std::size_t position) {
  Alarm* alarm = heap_[position];
  while (position > 0) {
    const std::size_t parent = (position - 1) / 2;
    if (heap_[parent]->due_ <= alarm->due_) break;
    place(position, heap_[parent]);
    position = parent;
  }
  place(position, alarm);
}

void Agenda::sift_down(std::size_t position) {
  Alarm* alarm = heap_[position];
  while (true) {
    std::size_t child = 2 * position + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->due_ < heap_[child]->due_) ++child;
    if (alarm->due_ <= heap_[child]->due_) break;
    place(position, heap_[child]);
    position = child;
  }
  place(position, alarm);
}

void Agenda::set(Alarm& alarm, Instant due) {
  cancel(alarm);
  alarm.agenda_ = this;
  alarm.due_ = due;
  heap_.push_back(&alarm);
  sift_up(heap_.size() - 1);
}

void Agenda::cancel(Alarm& alarm) {
  if (alarm.agenda_ == nullptr) return;
  alarm.agenda_ = nullptr;
  if (alarm.position_ >= heap_.size() || heap_[alarm.position_] != &alarm) {
    std::replace(due_.begin(), due_.end(), &alarm, static_cast<Alarm*>(nullptr));
    return;
  }
  const std::size_t hole = alarm.position_;
  Alarm* last = heap_.back();
  heap_.pop_back();
  if (last == &alarm) return;
  place(hole, last);
  sift_up(hole);
  sift_down(last->position_);
}

void Agenda::run(Instant now) {
  while (!heap_.empty() && heap_.front()->due_ <= now) {
    Alarm* alarm = heap_.front();
    due_.push_back(alarm);
    Alarm* last = heap_.back();
    heap_.pop_back();
    if (last != alarm) {
      place(0, last);
      sift_down(0);
    }
  }
  for (std::size_t i = 0; i < due_.size(); ++i) {
    Alarm* alarm = due_[i];
    if (alarm == nullptr) continue;  // cancelled by one before it
    due_[i] = nullptr;
    alarm->agenda_ = nullptr;
    alarm->callback_(alarm->owner_);
  }
  due_.clear();
}

}  // namespace leat::tools
