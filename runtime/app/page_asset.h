/*
 * page_asset.h: the files of the dashboard, as they stand in the program.
 *
 * runtime/dashboard makes the table as it is built. It always holds "/": where the page could not
 * be built, one that says so. Nothing here is ever freed or changed.
 */
#ifndef APP_PAGE_ASSET_H
#define APP_PAGE_ASSET_H

#include <stddef.h>

struct page_asset {
    const char *path;          /* "/", "/app.js"; compared byte by byte */
    const char *content_type;  /* with its charset */
    const char *etag;          /* with its quotes; of the bytes below */
    const unsigned char *gzip; /* always compressed: an answer says Content-Encoding: gzip */
    size_t length;             /* of gzip, in bytes */
};

extern const struct page_asset page_assets[];
extern const size_t page_assets_count;

#endif
