// SPDX-License-Identifier: Apache-2.0
/* The table of a build without the UI (-Dui=disabled): empty. */
#include "api/ui/assets.h"

const struct web_asset web_assets[1];
const size_t web_assets_n = 0;
