// Daylight saving time for the tests of local times. Import it before everything else.

process.env.TZ = "Europe/Berlin";
