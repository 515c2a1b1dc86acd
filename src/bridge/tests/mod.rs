//! The bridge as its users see it: sound in, sound out, heard by ffmpeg.

mod bridge;
mod damage;
mod sound;
mod time;
mod tools;
