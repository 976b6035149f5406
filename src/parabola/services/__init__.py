"""What runs beside requests: deploy, scheduler, crons, files, auth, import and export."""
