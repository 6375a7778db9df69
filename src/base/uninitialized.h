// SPDX-License-Identifier: Apache-2.0
// LEAT_UNINITIALIZED: before a local variable of kilobytes on a request's path, of which a request
// writes a few words. All other locals are filled with zeros at their declaration
// (-ftrivial-auto-var-init, meson.build), so that what is forgotten leaks no bytes of another
// request; whoever switches that off keeps the bounds of what was written in the type, as
// base/inline_list.h does.
#pragma once

#define LEAT_UNINITIALIZED __attribute__((uninitialized))
