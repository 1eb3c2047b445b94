// SPDX-License-Identifier: MIT
// A property of widgets that the window's toasts and banners may not cover: bars that are typed
// into and pressed again and again, such as the one of Chat.
#pragma once

namespace tessera::ui {

inline constexpr auto kKeepsToastsOff = "keepsToastsOff";

}  // namespace tessera::ui
