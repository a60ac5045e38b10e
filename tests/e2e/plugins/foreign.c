/* A shared object that is no plugin. */
extern int foreign_answer;
int foreign_answer = 42;
