"""Records to tables and figures. Nothing here trains, downloads, reads the clock or imports torch."""
