-- An invented directory: seven weeks of entries, no people.
insert into public.content
  (category, slug, title, description, author, author_profile_url, tags, date_added, view_count, copy_count, bookmark_count)
values
  ('commands', 'explain-diff', 'Explain Diff', 'Says what a diff changes for the people who use the program', 'Margaret Demo', 'https://example.com/margaret', '{explain,diff}', '2026-10-05', 2400, 266, 114),
  ('collections', 'first-week-kit', 'First Week Kit', 'What a new team sets up in its first week', 'Margaret Demo', 'https://example.com/margaret', '{first,week}', '2026-10-06', 584, 64, 27),
  ('mcp', 'object-store-browser', 'Object Store Browser', 'Lists and reads objects of one bucket, never writes', 'Ada Example', 'https://example.com/ada', '{object,store,browser}', '2026-10-07', 2499, 277, 119),
  ('commands', 'rename-everywhere', 'Rename Everywhere', 'Renames a concept in code, docs and tests at once', 'Linus Placeholder', 'https://example.com/linus', '{rename,everywhere}', '2026-10-08', 1361, 151, 64),
  ('collections', 'database-care', 'Database Care', 'Everything here for people who keep a database healthy', 'Ada Example', 'https://example.com/ada', '{database,care}', '2026-10-09', 3421, 380, 162),
  ('collections', 'writing-desk', 'Writing Desk', 'Rules, skills and commands for people who mostly write', 'Grace Sample', 'https://example.com/grace', '{writing,desk}', '2026-10-11', 1700, 188, 80),
  ('guides', 'email-that-arrives', 'Email That Arrives', 'Authentication, reputation and consent, step by step', 'Grace Sample', 'https://example.com/grace', '{email,that,arrives}', '2026-10-12', 2954, 328, 140),
  ('statuslines', 'branch-and-cost', 'Branch and Cost', 'Branch, dirty files and the cost of the session so far', 'Ada Example', 'https://example.com/ada', '{branch,cost}', '2026-10-13', 419, 46, 19),
  ('hooks', 'format-on-save', 'Format on Save', 'Formats the files that were just edited and nothing else', 'Ada Example', 'https://example.com/ada', '{format,save}', '2026-10-14', 2539, 282, 120),
  ('guides', 'reading-a-query-plan', 'Reading a Query Plan', 'From the inside out, with five real plans', 'Linus Placeholder', 'https://example.com/linus', '{reading,query,plan}', '2026-10-16', 3653, 405, 173),
  ('rules', 'sql-style', 'SQL Style', 'Lower case, one clause a line, names in full', 'Grace Sample', 'https://example.com/grace', '{style}', '2026-10-17', 3431, 381, 163),
  ('hooks', 'secret-scan', 'Secret Scan', 'Stops a commit that contains something that looks like a key', 'Grace Sample', 'https://example.com/grace', '{secret,scan}', '2026-10-18', 2167, 240, 103),
  ('skills', 'meeting-minutes', 'Meeting Minutes', 'Decisions, owners and dates from a transcript', 'Linus Placeholder', 'https://example.com/linus', '{meeting,minutes}', '2026-10-19', 1642, 182, 78),
  ('rules', 'small-commits', 'Small Commits', 'One reason to change in each commit, said in its first line', 'Linus Placeholder', 'https://example.com/linus', '{small,commits}', '2026-10-20', 3511, 390, 167),
  ('mcp', 'calendar-reader', 'Calendar Reader', 'Read-only access to calendars, with free and busy times', 'Margaret Demo', 'https://example.com/margaret', '{calendar,reader}', '2026-10-22', 771, 85, 36),
  ('guides', 'dates-and-time-zones', 'Dates and Time Zones', 'Why the week began on the wrong day, and how to fix it', 'Margaret Demo', 'https://example.com/margaret', '{dates,time,zones}', '2026-10-23', 2666, 296, 126),
  ('hooks', 'license-header', 'License Header', 'Adds the licence line to new source files', 'Margaret Demo', 'https://example.com/margaret', '{license,header}', '2026-10-24', 704, 78, 33),
  ('skills', 'spreadsheet-tidy', 'Spreadsheet Tidy', 'Makes a table with one header row out of a messy sheet', 'Grace Sample', 'https://example.com/grace', '{spreadsheet,tidy}', '2026-10-25', 1228, 136, 58),
  ('mcp', 'issue-tracker', 'Issue Tracker', 'Search, read and comment on issues of one project', 'Grace Sample', 'https://example.com/grace', '{issue,tracker}', '2026-10-27', 99, 11, 4),
  ('guides', 'first-state-machine', 'Your First State Machine', 'When a workflow pays for itself and when it does not', 'Linus Placeholder', 'https://example.com/linus', '{first,state,machine}', '2026-10-28', 3611, 401, 171),
  ('commands', 'changelog-entry', 'Changelog Entry', 'Adds one line to the changelog from the staged change', 'Grace Sample', 'https://example.com/grace', '{changelog,entry}', '2026-10-29', 3737, 415, 177),
  ('mcp', 'weather-station', 'Weather Station', 'Measurements of a home weather station as resources', 'Linus Placeholder', 'https://example.com/linus', '{weather,station}', '2026-10-30', 2431, 270, 115),
  ('mcp', 'postgres-explain', 'Postgres Explain', 'Runs explain on a query and answers with the plan in plain words', 'Linus Placeholder', 'https://example.com/linus', '{postgres,explain}', '2026-10-31', 2333, 259, 111),
  ('agents', 'test-gap-finder', 'Test Gap Finder', 'Finds behaviour that no test would notice if it were deleted', 'Ada Example', 'https://example.com/ada', '{test,finder}', '2026-11-02', 2066, 229, 98),
  ('statuslines', 'queue-depths', 'Queue Depths', 'Depth of each queue and its dead letters, coloured by age', 'Linus Placeholder', 'https://example.com/linus', '{queue,depths}', '2026-11-03', 2337, 259, 111),
  ('guides', 'one-click-unsubscribe', 'One-Click Unsubscribe', 'RFC 8058 from header to database', 'Ada Example', 'https://example.com/ada', '{click,unsubscribe}', '2026-11-04', 1544, 171, 73),
  ('agents', 'incident-scribe', 'Incident Scribe', 'Keeps the timeline of an incident while people fix it', 'Linus Placeholder', 'https://example.com/linus', '{incident,scribe}', '2026-11-05', 2078, 230, 98),
  ('agents', 'schema-reviewer', 'Schema Reviewer', 'Reads a database migration and says what it would lock and for how long', 'Grace Sample', 'https://example.com/grace', '{schema,reviewer}', '2026-11-07', 4184, 464, 199),
  ('agents', 'release-notes-writer', 'Release Notes Writer', 'Turns a range of commits into release notes that a customer can read', 'Ada Example', 'https://example.com/ada', '{release,notes,writer}', '2026-11-08', 3217, 357, 153),
  ('hooks', 'test-changed', 'Test Changed', 'Runs the tests that the changed files reach', 'Linus Placeholder', 'https://example.com/linus', '{test,changed}', '2026-11-09', 394, 43, 18),
  ('guides', 'queues-that-lose-nothing', 'Queues That Lose Nothing', 'At least once delivery and what it asks of you', 'Margaret Demo', 'https://example.com/margaret', '{queues,that,lose}', '2026-11-10', 2303, 255, 109),
  ('statuslines', 'quiet-clock', 'Quiet Clock', 'The time, and how long the present task has taken', 'Grace Sample', 'https://example.com/grace', '{quiet,clock}', '2026-11-11', 3830, 425, 182),
  ('rules', 'plain-english-docs', 'Plain English Docs', 'Short sentences, active voice, one idea in each paragraph', 'Margaret Demo', 'https://example.com/margaret', '{plain,english,docs}', '2026-11-13', 2593, 288, 123),
  ('commands', 'flaky-hunt', 'Flaky Hunt', 'Repeats one test until it fails and keeps what it printed', 'Margaret Demo', 'https://example.com/margaret', '{flaky,hunt}', '2026-11-14', 1950, 216, 92),
  ('skills', 'chart-maker', 'Chart Maker', 'Draws one honest chart from a table', 'Ada Example', 'https://example.com/ada', '{chart,maker}', '2026-11-15', 2848, 316, 135),
  ('rules', 'strict-typescript', 'Strict TypeScript', 'No any, no casts, parse at the edge', 'Ada Example', 'https://example.com/ada', '{strict,typescript}', '2026-11-16', 1638, 182, 78),
  ('skills', 'invoice-reader', 'Invoice Reader', 'Extracts totals, dates and line items from scanned invoices', 'Margaret Demo', 'https://example.com/margaret', '{invoice,reader}', '2026-11-18', 3900, 433, 185),
  ('commands', 'bisect-helper', 'Bisect Helper', 'Drives git bisect with a test you describe in words', 'Ada Example', 'https://example.com/ada', '{bisect,helper}', '2026-11-19', 3571, 396, 170),
  ('agents', 'dependency-gardener', 'Dependency Gardener', 'Updates one dependency at a time and explains each change', 'Grace Sample', 'https://example.com/grace', '{dependency,gardener}', '2026-11-20', 3919, 435, 186),
  ('agents', 'accessibility-auditor', 'Accessibility Auditor', 'Walks a page by keyboard and screen reader and lists what stops you', 'Margaret Demo', 'https://example.com/margaret', '{accessibility,auditor}', '2026-11-21', 1496, 166, 71)
on conflict (category, slug) do nothing;

insert into public.jobs
  (slug, title, company, description, category, type, link, status, tier, location, workplace, experience, salary, contact_email, posted_at, expires_at)
values
  ('queue-engineer-example-post', 'Queue Engineer', 'Example Post', 'Keeps letters moving: at least once, never twice.', 'engineering', 'full-time', 'https://example.com/jobs/queue-engineer', 'active', 'featured', 'Example City', 'Hybrid', 'intermediate', '70,000 to 90,000 a year', 'jobs@example.com', '2026-11-10T09:00:00Z', '2026-12-10T09:00:00Z'),
  ('documentation-editor-sample-press', 'Documentation Editor', 'Sample Press', 'Writes the page a tired person needs at night.', 'education', 'part-time', 'https://example.org/jobs/editor', 'pending_payment', 'standard', null, 'Remote', 'beginner', null, 'work@example.org', null, null)
on conflict (slug) do nothing;

-- The directory above is as old as it says: nothing of it is news. now() is this transaction's own time, so work
-- that anybody else waits for stays.
delete from public.outbox where created_at = now();
