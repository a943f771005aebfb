# cmake -D IN=file -D OUT=file.c -D NAME=symbol -P embed.cmake: a file as a C array with a closing zero
# byte, and its size without that as NAME_size.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)"
       "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "#include <stddef.h>
extern const char ${NAME}[];
extern const size_t ${NAME}_size;
const char ${NAME}[] = {
${bytes}0x00};
const size_t ${NAME}_size = sizeof ${NAME} - 1;
")
