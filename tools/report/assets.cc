// Files taken in by the assembler: as string literals they would be longer than compilers must accept.
#include "tools/report/assets.h"

// NOLINTBEGIN(hicpp-no-assembler)
#define INOCULA_ASSET(name, file)                                                           \
  __asm__(".section .rodata\n.global inocula_asset_" #name "\n.global inocula_asset_" #name \
          "_end\ninocula_asset_" #name ":\n.incbin \"" file "\"\ninocula_asset_" #name      \
          "_end:\n.byte 0\n.previous\n");                                                   \
  extern "C" const char inocula_asset_##name[], inocula_asset_##name##_end[];               \
  std::string_view inocula::assets::name() {                                                \
    return {inocula_asset_##name,                                                           \
            static_cast<std::size_t>(inocula_asset_##name##_end - inocula_asset_##name)};   \
  }

INOCULA_ASSET(style, INOCULA_ASSETS "/style.css")
INOCULA_ASSET(vega, INOCULA_GENERATED "/vega.js")
INOCULA_ASSET(charts, INOCULA_ASSETS "/charts.js")
INOCULA_ASSET(licences, INOCULA_GENERATED "/licences.txt")
// NOLINTEND(hicpp-no-assembler)
