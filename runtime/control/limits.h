/* limits.h: the bounds of the control plane. Those that users may change are the defaults of the
 * configuration. */
#ifndef CONTROL_LIMITS_H
#define CONTROL_LIMITS_H

#define APPS_LIVE_MAX        1000u      /* applications that have not ended */
#define APPS_ENDED_MAX       1000u      /* ended ones that are remembered; the oldest goes, ... */
#define APPS_ENDED_BYTES_MAX (2u << 20) /* as well when commands of so many bytes made them */
#define REQUESTS_MAX         4096u /* request ids that are remembered, as long as their application */
#define WORKERS_MAX          1000u
#define WAITERS_MAX          1024u /* unanswered app.wait and log.read with a wait */
#define RESTARTING_MAX       128u  /* ordered while the old application still ends */
#define EVENTS_KEPT          1000u /* what happened in the cluster: the latest */
#define EVENT_TEXT_MAX       512u
#define EVENT_WAITERS_MAX    1024u
#define UPLOADS_MAX          16u
#define PLUGIN_DIRS_MAX      16u
#define CHILDREN_MAX         1024u /* processes of one worker */
#define EXECUTORS_MAX        1000u /* of one application */
#define RECORD_EXECUTORS_MAX 1024u /* ... with the dead that others take the place of */
#define MOVES_MAX            1024u /* tasks of one application that are to move; others follow */
#define CHUNK_BYTES          (192u << 10) /* of an artefact in one message */

#define SLOTS_DEFAULT    100u
#define ASK_TIMEOUT_NS   5000000000  /* between actors of the cluster */
#define START_TIMEOUT_NS 30000000000 /* from submit to running */
#define STOP_TIMEOUT_NS  5000000000  /* from "stop" to "killed" */

#endif
