# Turns .avsc files into a C file that defines one NUL-terminated text for each, so that the binary
# carries its schemas:  cmake -DDIR=… -DOUT=… "-DNAMES=payments,bills,…" -P embed.cmake
string(REPLACE "," ";" names "${NAMES}")
set(text "/* Made by schemas/embed.cmake from the .avsc files. */\n#include \"schemas/texts.h\"\n")
set(table "")
foreach(name ${names})
  file(READ ${DIR}/${name}.avsc hex HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${hex}")
  # A line of the C file holds up to 24 bytes: "\x7b" is four characters.
  string(REGEX REPLACE "(................................................................................................)"
    "\\1\"\n\"" bytes "${bytes}")
  string(APPEND text "\nstatic const char text_${name}[] =\n\"${bytes}\";\n")
  string(APPEND table "    {\"${name}\", sizeof \"${name}\" - 1, text_${name}},\n")
endforeach()
string(APPEND text "\nconst struct ss_schema_text ss_schema_texts[SS_SCHEMA_TEXT_COUNT] = {\n${table}};\n")
file(WRITE ${OUT} "${text}")
