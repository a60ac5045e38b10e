/* A shared object like any other. */
int foreign(void);

int foreign(void)
{
    return 1;
}
