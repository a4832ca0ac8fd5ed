"""The resources of a client, one per file: images, videos, media, publish, jobs, and so on.

The calls that lead from a prompt to a permalink::

    widgets.PromptForm, %%wonda, Matrix, or your code
        │ model, prompt, params
        ▼
    images.AsyncImages.generate, videos.AsyncVideos.generate
                                      the request body, the budget, the idempotency key (once=)
        ▼
    jobs.core.Core.start
        ▼
    jobs.submission.Submitter         recorded in the journal before and after it is sent
        ▼
    http.transport.Transport.post     never repeated if it may have arrived
        ▼
    jobs.job.Job                      polled until it has ended; see its module
        │ snapshot.media.media_id
        ▼
    publish.AsyncPublish.instagram    duplicate detection: journal, publish history, schedule
        ▼
    Core.start, Submitter, Transport.post, Job: as above
        │
        ▼
    snapshot.permalink
"""
