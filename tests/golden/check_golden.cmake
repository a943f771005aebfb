# Runs RUN on FOLDER/events.jsonl with FOLDER/model.yaml and business.yaml and fails unless OUT is expected.jsonl.
execute_process(COMMAND ${RUN} ${FOLDER}/events.jsonl ${FOLDER}/model.yaml ${FOLDER}/business.yaml
  OUTPUT_FILE ${OUT} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${OUT} ${FOLDER}/expected.jsonl
  RESULT_VARIABLE differ)
if(differ)
  message(FATAL_ERROR "${OUT} differs from ${FOLDER}/expected.jsonl: compare them with diff")
endif()
